"""A study's settings: paths, the template, and the file that runs it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from voxplain.errors import InputError
from voxplain.study.settings.load import load_study
from voxplain.study.settings.study_config import StudySettings
from voxplain.study.settings.template import resolved_study, study_template

GIVEN = {"models": {"unet": "nets.py:unet"}, "cases": ["scan.nii.gz"]}


def sections(of: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield of
    for field in of.model_fields.values():
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from sections(inner)


def every_field() -> list[tuple[str, str, Any]]:
    return [
        (s.__name__, name, field)
        for s in dict.fromkeys(sections(StudySettings))
        for name, field in s.model_fields.items()
        if s.__name__ not in ("MethodSpec", "MetricSpec")
    ]


def test_the_template_shows_the_section_of_regions_as_a_comment_that_loads(folder: Path) -> None:
    lines = study_template().splitlines()
    start = lines.index("# regions:")
    end = next(i for i in range(start, len(lines)) if lines[i].startswith("nulls:"))
    shown = yaml.safe_load("\n".join(line.removeprefix("# ") for line in lines[start : end - 1]))
    assert load_study(None, GIVEN | shown).regions == load_study(None, GIVEN | {"regions": {}}).regions


def test_the_template_is_the_defaults(folder: Path) -> None:
    """As it is, with a network and a scan of its names put in place."""
    Path("study.yaml").write_text(study_template(), encoding="utf-8")
    found, expected = load_study(Path("study.yaml")), load_study(None, GIVEN)
    assert found.model_dump() == expected.model_copy(update={"out": found.out}).model_dump()
    assert found.out.resolve() == expected.out.resolve()


def test_the_template_has_every_field_with_what_it_means() -> None:
    text = study_template()
    plain = " ".join(line.strip().removeprefix("# ") for line in text.splitlines())
    fields = every_field()
    assert {"StudySettings", "StudyModel", "StudyCase", "RunSettings", "WindowSettings"} <= {
        f[0] for f in fields
    }
    for section, name, field in fields:
        assert field.description, f"{section}.{name}"
        assert field.description in plain
        assert f"{name}:" in text
        unit = (field.json_schema_extra or {}).get("unit")
        assert not unit or f"{field.description} [{unit}]" in plain


def test_config_writes_it_and_says_what_to_do_next(folder: Path, voxplain: Callable[..., Any]) -> None:
    assert voxplain("config", "--study").out == study_template()
    ran = voxplain("config", "--study", "s.yaml")
    assert ran.code == 0
    assert "voxplain study s.yaml" in ran.out
    assert Path("s.yaml").read_text(encoding="utf-8") == study_template()
    assert (
        voxplain("config", "e.yaml").out == "wrote e.yaml; edit it, then: voxplain explain --config e.yaml\n"
    )
    assert voxplain("config", "--study", "s.yaml").code == 2


YAML = """
models:
  a: {source: ../nets.py:unet, weights: w.pt, classes: c.json, targets: ["mask:1:m.nii", all]}
  b: ../nets.py:linear
  c: package.module:function
cases:
  - scan.nii.gz
  - {image: [scan.nii.gz, t2.nii], label: seg.nii, mask: m.nii, id: two}
  - {image: "pattern-{id}.nii", label: "seg-{id}.nii"}
targets: ["mask:1:m.nii@margin", {kind: mask, class: 1, file: m.nii}, "boundary:1:2"]
methods:
  - {name: integrated-gradients, baseline: "case:scan.nii.gz"}
  - occlusion:regions=r.nii
out: results
"""


def test_paths_are_relative_to_where_they_are_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file lies in a/, it is read in b/, and flags mean b/."""
    a, b = folder / "a", folder / "b"
    for place in (a, b):
        place.mkdir()
        for name in ("scan.nii.gz", "t2.nii", "seg.nii", "m.nii", "w.pt", "pattern-x.nii", "seg-x.nii"):
            (place / name).touch()
    (a / "c.json").write_text("[]", encoding="utf-8")
    (a / "s.yaml").write_text(YAML, encoding="utf-8")
    monkeypatch.chdir(b)
    found = load_study(Path("../a/s.yaml"))
    first = found.models["a"]
    assert Path(first.source.rpartition(":")[0]).resolve() == folder / "nets.py"
    assert first.weights == a / "w.pt"
    assert first.classes == str(a / "c.json")
    assert first.targets == (f"mask:1:{a}/m.nii", "all")
    assert Path(found.models["b"].source.rpartition(":")[0]).resolve() == folder / "nets.py"
    assert found.models["c"].source == "package.module:function"
    assert [case.image for case in found.cases] == [
        (a / "scan.nii.gz",),
        (a / "scan.nii.gz", a / "t2.nii"),
        (a / "pattern-x.nii",),
    ]
    assert (found.cases[1].label, found.cases[1].mask) == (a / "seg.nii", a / "m.nii")
    assert (found.cases[2].id, found.cases[2].label) == ("x", a / "seg-x.nii")
    assert found.targets == (
        f"mask:1:{a}/m.nii@margin",
        {"kind": "mask", "class": 1, "file": f"{a}/m.nii"},
        "boundary:1:2",
    )
    assert found.methods[0].parameters["baseline"] == f"case:{a}/scan.nii.gz"
    assert found.methods[1].parameters["regions"] == str(a / "r.nii")
    assert found.out == a / "results"
    assert load_study(Path("../a/s.yaml"), {"out": "mine"}, ["models.a.weights=w.pt"]).out == b / "mine"
    other = load_study(Path("../a/s.yaml"), {}, ["models.a.weights=w.pt", "models.b=../nets.py:picture"])
    assert other.models["a"].weights == b / "w.pt"
    assert other.models["a"].source == first.source
    assert other.models["b"].source.endswith(":picture")


def test_a_table_lies_beside_the_settings_and_its_images_beside_it(folder: Path) -> None:
    (folder / "lists").mkdir()
    (folder / "lists" / "x.nii").touch()
    (folder / "lists" / "cases.csv").write_text("image,age\nx.nii,60\n", encoding="utf-8")
    (folder / "s.yaml").write_text("models: {a: 'nets.py:unet'}\ncases: lists/cases.csv\n", encoding="utf-8")
    (case,) = load_study(folder / "s.yaml").cases
    assert case.image == (folder / "lists" / "x.nii",)
    assert case.meta == {"age": "60"}


def test_a_mistake_in_a_row_names_its_line(folder: Path) -> None:
    (folder / "c.csv").write_text("image,slice\nscan.nii.gz,k=1\n\ngone.nii,40\n", encoding="utf-8")
    (folder / "s.yaml").write_text("models: {a: 'nets.py:unet'}\ncases: c.csv\n", encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_study(folder / "s.yaml")
    image, slice_ = str(error.value).splitlines()
    where = f"{folder}/s.yaml: cases: {folder}/c.csv line 4: "
    assert image.startswith(f"{where}image.0: ")
    assert slice_.startswith(f"{where}slice: found '40'")


def test_one_case_may_stand_without_a_list(folder: Path) -> None:
    (folder / "s.yaml").write_text(
        "models: {a: 'nets.py:unet'}\ncases: {image: scan.nii.gz}\n", encoding="utf-8"
    )
    assert [c.image for c in load_study(folder / "s.yaml").cases] == [(folder / "scan.nii.gz",)]


@pytest.mark.parametrize(
    ("setting", "value", "means"),
    [
        ("workers", "auto", "auto"),
        ("workers", "3", 3),
        ("memory", "1.5", 1.5),
        ("memory", 8, 8.0),
        ("memory", "unlimited", "unlimited"),
        ("devices", "cuda:1", ("cuda:1",)),
        ("devices", ["auto", "cpu"], ("auto", "cpu")),
    ],
)
def test_values_of_the_run_mean_the_same_from_flags_and_files(
    folder: Path, setting: str, value: Any, means: Any
) -> None:
    found = getattr(load_study(None, {**GIVEN, "run": {setting: value}}).run, setting)
    assert found == means
    assert type(found) is type(means)


def test_the_resolved_file_means_the_same_from_its_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("w.pt", "m.nii", "p-1.nii", "p-2.nii", "s-1.nii", "s-2.nii"):
        Path(name).touch()
    asked = {
        "title": "Wörter: 'a'",
        "models": {
            "a": {"source": "nets.py:unet", "weights": "w.pt", "windows": {"roi": "4,4,8"}},
            "b": "nets.py:linear",
        },
        "cases": [{"image": "p-{id}.nii", "label": "s-{id}.nii", "meta": {"age": 60}}, "scan.nii.gz"],
        "targets": ["mask:1:m.nii", {"kind": "voxel", "index": [1, 2, 3]}],
        "methods": ["smoothgrad:draws=3", "all:family=cam"],
        "metrics": ["deletion:steps=4", "all:family=axiom"],
        "run": {"workers": 2, "memory": 3, "devices": "cpu"},
        "out": "results",
    }
    before = load_study(None, asked)
    Path("results").mkdir()
    text = resolved_study(before, "made by a test\nof two lines")
    assert text.startswith("# made by a test\n# of two lines\n")
    Path("results/study.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir("/")
    after = load_study(folder / "results" / "study.yaml")
    assert after.model_dump(exclude={"out"}) == before.model_dump(exclude={"out"})
    assert after.out.resolve() == before.out.resolve()
    # what was not asked for stays open, so that a later version's defaults, and a bundle's own steps, hold
    assert "prepare" not in yaml.safe_load(text)["models"]["a"]
    assert "compare" not in yaml.safe_load(text)


def test_groups_that_no_case_belongs_to_are_found_before_any_work(folder: Path) -> None:
    cases = [{"image": "scan.nii.gz", "meta": {"site": "north"}}]
    given = GIVEN | {"cases": cases, "regions": {"groups": ["sitee"]}}
    with pytest.raises(
        InputError, match=r"regions\.groups: no case has 'sitee' in its meta; did you mean 'site'"
    ):
        load_study(None, given)
    assert load_study(None, given | {"regions": {"groups": ["site"]}}).regions is not None
