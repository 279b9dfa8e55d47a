"""What settings of regions mean."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from voxplain.study import load_aggregate
from voxplain.study.settings.region_config import RegionSettings

PAGE = Path(__file__).parents[2] / "docs" / "aggregate.md"


def test_baselines_are_numbers_of_any_kind_and_sign() -> None:
    games = RegionSettings(games=[0.1, {"baseline": 0.5}, 1, -1, "-0.1"]).games
    assert [game.baseline for game in games] == ["0.1", "0.5", "1", "-1", "-0.1"]
    assert len({game.told for game in games}) == 5


def test_settings_follow_a_baseline_as_parameters_follow_a_method() -> None:
    texts = ["infill:parts=64", "blur:4:values=[shapley,interaction],budget=20000", "infill:6:of=predicted"]
    spelled = [
        {"baseline": "infill", "parts": 64},
        {"baseline": "blur:4", "values": ["shapley", "interaction"], "budget": 20000},
        {"baseline": "infill:6", "of": "predicted"},
    ]
    assert RegionSettings(games=texts) == RegionSettings(games=spelled)


def test_files_of_baselines_may_have_any_name() -> None:
    (game,) = RegionSettings(games=["case:other/t=1:echo=2.nii:parts=8"]).games
    assert (game.baseline, game.parts) == ("case:other/t=1:echo=2.nii", 8)


@pytest.mark.parametrize(
    ("game", "says"),
    [
        ({"baseline": "blur", "values": ["shapley", "owen"]}, "found 'owen', .* write parts: 64"),
        ("blur:values=owen", "write parts: 64"),
        ("blur:parts=64,32", "expected BASELINE:setting=value,setting=value"),
        ("blur:parts=[64", "close brackets"),
        ("blur:part=64", "part\n.*Extra inputs"),
        ("blurr:parts=64", "baseline: found 'blurr'"),
    ],
)
def test_mistakes_in_games_say_what_to_write(game: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        RegionSettings(games=[game])


def test_the_whole_file_of_the_page_asks_for_owen_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (text,) = (b for b in re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.S) if "parts:" in b)
    (tmp_path / "scans").mkdir()
    for name in ("scans/a.nii.gz", "nets.py", "unet.pt", "parts.yaml"):
        (tmp_path / name).write_text(text if name == "parts.yaml" else "", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    settings = load_aggregate(Path("parts.yaml"))
    assert settings.regions is not None
    assert [(g.baseline, g.parts, g.budget) for g in settings.regions.games] == [("infill", 64, 20000)]
