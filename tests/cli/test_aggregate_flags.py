"""`voxplain aggregate` by flags alone asks for what a file would ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Ran

Asked = list[tuple[Any, dict[str, Any]]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What was to be run; nothing is."""
    found: Asked = []

    def run(settings: Any, **how: Any) -> int:
        found.append((settings, how))
        return 0

    monkeypatch.setattr("voxplain.study.study.run_study", run)
    return found


def test_flags_say_what_a_file_says(folder: Path, voxplain: Callable[..., Ran], asked: Asked) -> None:
    del folder
    Path("cohort.yaml").write_text(
        "models: {unet: {source: 'nets.py:unet', classes: [air, a, b], device: cpu, prepare: {spacing: 2, divisible: 4, "
        "crop: foreground}, windows: {roi: 8, overlap: 0.5, blend: gaussian}}}\n"
        "cases: ['{id}.nii.gz']\ntargets: [a]\n"
        "regions: {of: [predicted, label-map.nii.gz], tables: [gradient, 'smoothgrad:draws=4'], games: [blur]}\n"
        "out: found\nrun: {workers: 2}\n",
        encoding="utf-8",
    )
    Path("scan.nii.gz").rename("one.nii.gz")
    Path("label-map.nii.gz").symlink_to("one.nii.gz")
    flags = (
        "--cases {id}.nii.gz --model nets.py:unet --classes air,a,b --device cpu --spacing 2 --divisible 4 "
        "--crop foreground --roi 8 --overlap 0.5 --blend gaussian -t a --regions predicted --regions label-map.nii.gz "
        "--method gradient --method smoothgrad:draws=4 --game blur -o found --workers 2"
    )
    for words in (flags.split(), ["cohort.yaml"]):
        ran = voxplain("aggregate", *words)
        assert ran.code == 0, ran.err
    by_flags, by_file = (settings.model_dump(mode="json") for settings, _ in asked)
    assert list(by_flags["models"]) == ["unet"]
    assert by_flags == by_file
    assert by_flags["methods"] == by_flags["metrics"] == []


def test_what_nobody_asked_for(folder: Path, voxplain: Callable[..., Ran], asked: Asked) -> None:
    del folder
    assert voxplain("aggregate", "--cases", "{id}.nii.gz", "-m", "nets.py:unet", "--shard", "1/2").code == 0
    settings, how = asked[0]
    assert settings.out.name == "cohort"
    assert [source.told for source in settings.regions.of] == ["predicted"]
    assert (settings.regions.redrawn, settings.regions.games) == (4, ())
    assert how["shard"] == (1, 2)


def test_without_a_model_or_cases_it_is_one_line_each(voxplain: Callable[..., Ran], asked: Asked) -> None:
    ran = voxplain("aggregate")
    assert (ran.code, asked) == (2, [])
    assert len(ran.complaints) == 2
    assert any("models" in line for line in ran.complaints)
    assert any("cases" in line for line in ran.complaints)
