"""Settings: where they come from, which one wins, and what a file means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from voxplain.errors import InputError
from voxplain.settings.reading import SettingsError, read_yaml
from voxplain.study.settings.config import ExplainSettings
from voxplain.study.settings.load import load_settings
from voxplain.study.settings.template import resolved, template

GIVEN = {"image": ["scan.nii.gz"], "model": {"source": "nets.py:linear"}}


def test_override_beats_flag_beats_file(folder: Path) -> None:
    Path("e.yaml").write_text(
        "image: scan.nii.gz\nmodel: nets.py:linear\nseed: 1\nbatch: 1\nwindows: {roi: 8, overlap: 0.5}\n",
        encoding="utf-8",
    )
    found = load_settings(Path("e.yaml"), {"seed": "2", "batch": "2"}, ["batch=3", "windows.overlap=0.1"])
    assert (found.seed, found.batch) == (2, 3)
    assert (found.windows.roi, found.windows.overlap) == (8, 0.1)


def test_paths_are_relative_to_where_they_are_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file lies in a/, the flags are given in b/: each means its own folder."""
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "scan.nii.gz").write_bytes((folder / "scan.nii.gz").read_bytes())
    (folder / "a" / "e.yaml").write_text(
        "image: scan.nii.gz\nmodel: ../nets.py:linear\nout: res\n"
        "targets: ['mask:1:m.nii', 'all', {kind: mask, class: 1, file: m.nii}]\n"
        "methods: [{name: integrated-gradients, baseline: 'case:scan.nii.gz'}, 'occlusion:regions=r.nii', "
        "{name: occlusion, regions: r.nii, size: 8}]\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(folder / "b")
    file_alone = load_settings(Path("../a/e.yaml"))
    assert file_alone.image[0].resolve() == folder / "a" / "scan.nii.gz"
    assert Path(file_alone.model.source.rpartition(":")[0]).resolve() == folder / "nets.py"
    assert file_alone.out.resolve() == folder / "a" / "res"
    assert file_alone.targets[0] == f"mask:1:{folder / 'a' / 'm.nii'}"
    assert file_alone.methods[0].parameters["baseline"] == f"case:{folder / 'a' / 'scan.nii.gz'}"
    assert file_alone.targets[2]["file"] == str(folder / "a" / "m.nii")
    for method in file_alone.methods[1:]:
        assert method.parameters["regions"] == str(folder / "a" / "r.nii")
    with_flag = load_settings(Path("../a/e.yaml"), {"image": ["scan.nii.gz"]})
    assert with_flag.image[0].resolve() == folder / "b" / "scan.nii.gz"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n- b\n", "found a list"),
        ("image: [\n", "not YAML"),
        ("seed: 1\nseed: 2\n", "'seed' is given twice"),
        ("windows: {roi: 1, roi: 2}\n", "'roi' is given twice"),
        ("x: !!python/object/apply:os.getcwd []\n", "not YAML"),
    ],
)
def test_files_that_are_no_settings_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        read_yaml(path)


@pytest.mark.parametrize("text", ["occlusion:size=[", "smoothgrad:case:", "occlusion:paint='x"])
def test_a_method_that_cannot_be_read_is_one_line(folder: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"^methods\.0: found ") as error:
        load_settings(None, {**GIVEN, "methods": [text]})
    assert "\n" not in str(error.value)


def test_unknown_keys_are_errors_with_the_file_the_path_and_a_suggestion(folder: Path) -> None:
    Path("e.yaml").write_text(
        "image: scan.nii.gz\nmodel: {source: nets.py:linear, wieghts: w.pt}\n", encoding="utf-8"
    )
    with pytest.raises(
        SettingsError, match=r"^e\.yaml: model\.wieghts: unknown key; did you mean 'weights'\?$"
    ):
        load_settings(Path("e.yaml"))


@pytest.mark.parametrize(
    ("setting", "value", "means"),
    [
        ("windows.roi", "96", 96),
        ("windows.roi", "96,96,64", (96, 96, 64)),
        ("windows.roi", [96, 96, 64], (96, 96, 64)),
        ("prepare.spacing", "1,1,2.5", (1.0, 1.0, 2.5)),
        ("prepare.scale", "-100,300", (-100.0, 300.0)),
        ("prepare.scale", [0, 255], (0.0, 255.0)),
        ("prepare.scale", "zscore-nonzero", "zscore-nonzero"),
        ("prepare.orientation", "lia", "LIA"),
        ("model.classes", "rest, liver", ("rest", "liver")),
        ("model.head", "0", 0),
        ("model.head", "out.1", "out.1"),
        ("fill_nan", "-1024", -1024.0),
    ],
)
def test_values_mean_the_same_from_flags_and_files(
    folder: Path, setting: str, value: Any, means: Any
) -> None:
    section, _, key = setting.rpartition(".")
    given = {section: {key: value}} if section else {key: value}
    found = load_settings(None, {**GIVEN, **given, "model": {**GIVEN["model"], **given.get("model", {})}})
    assert getattr(getattr(found, section) if section else found, key) == means


def fields(section: type[BaseModel], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in section.model_fields.items():
        yield f"{path}{name}", field
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, f"{path}{name}.")


@pytest.mark.parametrize(("path", "field"), list(fields(ExplainSettings)))
def test_every_field_is_described(path: str, field: Any) -> None:
    assert field.description


def test_the_template_is_the_defaults(folder: Path) -> None:
    """Read back, a template with only its two examples mended is what no settings at all mean."""
    text = template().replace("nets.py:unet", "nets.py:linear")
    Path("e.yaml").write_text(text, encoding="utf-8")
    found, expected = load_settings(Path("e.yaml")), load_settings(None, GIVEN)
    assert found.model_dump(exclude={"out"}) == expected.model_dump(exclude={"out"})
    assert found.out.resolve() == expected.out.resolve()


def test_resolved_settings_mean_the_same_again(folder: Path) -> None:
    """explain.yaml in the output folder gives the run that wrote it, from any folder."""
    asked = {
        **GIVEN,
        "methods": ["smoothgrad:draws=3", "gradient"],
        "windows": {"roi": "4,4,8"},
        "out": "res",
    }
    before = load_settings(None, asked, ["targets=[{kind: voxel, index: [1, 2, 3]}]"])
    Path("res").mkdir()
    Path("res/explain.yaml").write_text(resolved(before, Path("res"), "header"), encoding="utf-8")
    after = load_settings(Path("res/explain.yaml"))
    assert after.model_dump(exclude={"out"}) == before.model_dump(exclude={"out"})
    assert after.out.resolve() == before.out.resolve()


def test_settings_of_a_bundle_keep_what_was_not_asked_open(folder: Path) -> None:
    """Defaults written for a bundle would replace its own steps the next time."""
    Path("bundle").mkdir()
    asked = {"image": ["scan.nii.gz"], "model": {"source": "bundle"}, "windows": {"overlap": "0.5"}}
    found = yaml.safe_load(resolved(load_settings(None, asked), Path("out"), ""))
    assert found["prepare"] == {}
    assert found["windows"] == {"overlap": 0.5}
