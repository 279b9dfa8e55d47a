"""What settings of regions mean."""

from __future__ import annotations

from voxplain.study.settings.region_config import RegionSettings


def test_baselines_are_numbers_of_any_kind_and_sign() -> None:
    games = RegionSettings(games=[0.1, {"baseline": 0.5}, 1, -1, "-0.1"]).games
    assert [game.baseline for game in games] == ["0.1", "0.5", "1", "-1", "-0.1"]
    assert len({game.told for game in games}) == 5
