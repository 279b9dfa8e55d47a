"""Many cases in few words: patterns with {id}, and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from voxplain.study.settings.cases import spelled_out


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cases(given: Any) -> list[dict[str, Any]]:
    found = spelled_out(given)
    assert not found.complaints
    assert len(found.places) == len(found.cases)
    return found.cases


def test_one_case_per_name_in_order(here: Path) -> None:
    touch(
        "scan-b.nii", "scan-a.nii", "scan-10.nii", "scan-.nii", "other-c.nii", "scan-d.nii.gz", "scan-e/x.nii"
    )
    assert cases([{"image": f"{here}/scan-{{id}}.nii", "fill_nan": 0}]) == [
        {"id": name, "image": f"{here}/scan-{name}.nii", "fill_nan": 0} for name in ("10", "a", "b")
    ]


def test_a_pattern_alone_stands_for_a_list(here: Path) -> None:
    touch("1.nii", "2.nii")
    assert [c["id"] for c in cases(f"{here}/{{id}}.nii")] == ["1", "2"]


def test_the_same_name_at_several_places(here: Path) -> None:
    touch("sub-1/t1-1.nii", "sub-2/t1-2.nii", "sub-3/t1-4.nii", "sub-5/t2-5.nii")
    given = {
        "image": [f"{here}/sub-{{id}}/t1-{{id}}.nii", f"{here}/sub-{{id}}/flair.nii"],
        "label": f"{here}/labels/{{id}}/seg_{{id}}.nii",
        "mask": f"{here}/masks/all.nii",
        "id": "site-{id}",
        "meta": {"site": "{id}"},
    }
    assert cases([given]) == [
        {
            "image": [f"{here}/sub-{n}/t1-{n}.nii", f"{here}/sub-{n}/flair.nii"],
            "label": f"{here}/labels/{n}/seg_{n}.nii",
            "mask": f"{here}/masks/all.nii",
            "id": f"site-{n}",
            "meta": {"site": "{id}"},
        }
        for n in ("1", "2")
    ]


@pytest.mark.parametrize("folder", ["a[1]", "b*", "c?", "d+(x)", "e {x}", "[!f]", "ö.$"])
def test_folders_whose_names_mean_something_to_patterns(here: Path, folder: str) -> None:
    touch(f"{folder}/s[0]-1.nii", f"{folder}/s0-2.nii", "a1/s[0]-3.nii", "bb/s[0]-4.nii")
    found = cases([{"image": f"{here}/{folder}/s[0]-{{id}}.nii"}])
    assert [c["image"] for c in found] == [f"{here}/{folder}/s[0]-1.nii"]


def test_a_name_fits_whole_or_not(here: Path) -> None:
    touch("1-1", "3-34", "43-3", "2-2")
    assert [c["id"] for c in cases([{"image": f"{here}/{{id}}-{{id}}"}])] == ["1", "2"]


def test_folders_are_names_too(here: Path) -> None:
    """A DICOM series is a folder."""
    touch("p1/series/a.dcm", "p2/series/a.dcm")
    assert [c["id"] for c in cases([{"image": f"{here}/{{id}}/series"}])] == ["p1", "p2"]


def test_what_fits_nothing_is_told_and_the_others_stay(here: Path) -> None:
    touch("1.nii")
    found = spelled_out([{"image": "no-{id}.nii"}, {"image": f"{here}/{{id}}.nii"}, {"image": "x.nii"}])
    assert found.complaints == [
        "cases.0.image: nothing fits no-{id}.nii; {id} stands for one name, without a slash"
    ]
    assert [c.get("id") for c in found.cases] == ["1", None]
    assert found.places == ["cases.1", "cases.2"]


@pytest.mark.parametrize("odd", [5, None, {"image": "x"}])
def test_what_is_no_list_is_left_to_the_validation(odd: Any) -> None:
    assert spelled_out(odd).cases == odd


TABLE = [
    ["image", "age", "id", "label", "slice", "fill_nan", "site"],
    ["a.nii", "60", "007", "seg/a.nii", "k=3", "0", "Ulm, Süd"],
    ["t1.nii;t2.nii", "", "b", "", "", "", ""],
]


@pytest.mark.parametrize("ending", ["csv", "tsv"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_table_has_a_case_per_row(here: Path, ending: str, mark: str, newline: str) -> None:
    rows = [[f'"{cell}"' if "," in cell else cell for cell in row] for row in TABLE]
    lines = [("\t" if ending == "tsv" else ",").join(row) for row in rows]
    (here / "lists").mkdir()
    path = here / "lists" / f"cases.{ending}"
    text = mark + newline.join([lines[0], "", lines[1], "," * 6 if ending == "csv" else "", lines[2], ""])
    path.write_bytes(text.encode())
    assert cases(path) == [
        {
            "image": [f"{here}/lists/a.nii"],
            "label": f"{here}/lists/seg/a.nii",
            "id": "007",
            "slice": "k=3",
            "fill_nan": "0",
            "meta": {"age": "60", "site": "Ulm, Süd"},
        },
        {"image": [f"{here}/lists/t1.nii", f"{here}/lists/t2.nii"], "id": "b"},
    ]
    assert spelled_out(path).places == [f"cases: {path} line 3", f"cases: {path} line 5"]


@pytest.mark.parametrize(("mark", "is_read"), [(";", True), ("\t", True), (",", False)])
def test_decimals_have_a_comma_where_none_stands_between_columns(
    here: Path, mark: str, is_read: bool
) -> None:
    rows = [
        ["image", "id", "age", "site"],
        ['"t1.nii;t2.nii"', '"1,5"', '"63,5"', "north"],
        ["a.nii", "2.5", "-7", ""],  # a name with a point is no number
    ]
    (here / "c.csv").write_text("\n".join(map(mark.join, rows)) + "\n", encoding="utf-8")
    images = [f"{here}/t1.nii", f"{here}/t2.nii"]
    age = "63.5" if is_read else "63,5"
    assert cases(here / "c.csv") == [
        {"image": images, "id": "1,5", "meta": {"age": age, "site": "north"}},
        {"image": [f"{here}/a.nii"], "id": "2.5", "meta": {"age": "-7"}},
    ]


def test_a_number_with_a_point_says_that_commas_are_none(here: Path) -> None:
    (here / "c.csv").write_text("image;age;dice\na.nii;63,5;0.81\n", encoding="utf-8")
    assert cases(here / "c.csv")[0]["meta"] == {"age": "63,5", "dice": "0.81"}


def test_absolute_paths_line_breaks_in_cells_and_empty_column_names(here: Path) -> None:
    (here / "c.csv").write_text('image,,note\n/data/a.nii,x,"two\nlines"\n', encoding="utf-8")
    assert cases(here / "c.csv") == [{"image": ["/data/a.nii"], "meta": {"note": "two\nlines"}}]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"imgae,sex\na.nii,f\n", "has no column image; did you mean 'imgae'?"),
        (b"imgae;sex\na.nii;f\n", "has no column image; did you mean 'imgae'?"),
        (b"image;age\na.nii;b.nii;60\n", "line 2: found 3 cells, expected 2 as in the header"),
        (b"", "has no column image"),
        (b"image,age,age\na.nii,1,2\n", "column 'age' is there 2 times"),
        (b"image,age\na.nii,60\nb,c.nii,61\n", "line 3: found 3 cells, expected 2 as in the header"),
        ("image\nä.nii\n".encode("utf-16"), "cannot be read (not text in UTF-8)"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_tables_that_cannot_be_used(here: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (here / "c.csv").write_bytes(content)
    found = spelled_out(here / "c.csv")
    assert found.cases == []
    (complaint,) = found.complaints
    assert complaint.startswith(f"cases: {here}/c.csv")
    assert says in complaint


def test_every_row_that_does_not_fit_is_told(here: Path) -> None:
    (here / "c.csv").write_text("image\na,1\nb\nc,2\n", encoding="utf-8")
    assert [line.split(": ")[1].split()[-1] for line in spelled_out(here / "c.csv").complaints] == ["2", "4"]


def test_a_table_with_a_header_alone_has_no_case(here: Path) -> None:
    (here / "c.csv").write_text("image,age\n", encoding="utf-8")
    assert cases(here / "c.csv") == []
