"""Settings of what segments depend on: region tables and games, over all cases of a study."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from voxplain.errors import suggest
from voxplain.settings.fields import as_list, as_text
from voxplain.settings.section import Section, setting
from voxplain.study.settings.checks import no_repeats
from voxplain.study.settings.config import Method
from voxplain.study.settings.game_text import game_in, without_owen
from voxplain.study.settings.region_source import LABEL, PREDICTED, RegionSource, region_source


def _game(value: Any) -> Any:
    """A baseline stands for ``{baseline: …}``, and may have settings behind it."""
    return value if isinstance(value, dict | GameSettings) else game_in(value)


def _check_baseline(value: str) -> str:
    from voxplain.attribution.baseline import check_baseline

    check_baseline(value)
    return value


class GameSettings(Section):
    """Regions that are taken away, alone and together."""

    baseline: Annotated[str, BeforeValidator(as_text), AfterValidator(_check_baseline)] = setting(
        "infill", "what stands where a region is gone: infill, local-mean, blur, minimum, mean, a number …"
    )
    values: Annotated[
        tuple[Literal["shapley", "occlusion", "interaction"], ...],
        BeforeValidator(as_list),
        BeforeValidator(without_owen),
        Field(min_length=1),
    ] = setting(("shapley", "occlusion"), "what is found; interaction asks for many more passes")
    of: str | None = setting(None, "which of the divisions, by name; the first by default")
    parts: int | None = setting(
        None,
        "also Owen values of about this many supervoxels, which join region by region",
        "supervoxels",
        ge=2,
    )
    budget: int = setting(8192, "most forward passes of windows per case", "passes", ge=2)

    @property
    def told(self) -> str:
        """The name of its tasks, safe as a file's."""
        from voxplain.target.scene import slug

        # a slug has no sign, and 1 and -1 are two games
        name = f"minus {self.baseline[1:]}" if self.baseline.startswith("-") else self.baseline
        return slug(name if self.of is None else f"{name}-{self.of}")


class RegionSettings(Section):
    """What each predicted segment depends on."""

    of: Annotated[
        tuple[Annotated[RegionSource, BeforeValidator(region_source)], ...],
        BeforeValidator(as_list),
        Field(min_length=1),
    ] = setting((PREDICTED,), "divisions of the image, whose regions are summed over", validate_default=True)
    merge: dict[str, tuple[str, ...]] = setting(
        {}, "regions that count as one: lung: [left lung, right lung]"
    )
    tables: Annotated[tuple[Method, ...], BeforeValidator(as_list)] = setting(
        ("smoothgrad:draws=8",), "methods whose maps are summed; none are kept", validate_default=True
    )
    shells: Annotated[tuple[float, ...], BeforeValidator(as_list)] = setting(
        (5.0, 10.0, 20.0, 40.0, 80.0), "edges of the shells around a target; none: no shells", "mm"
    )
    redrawn: int = setting(
        4,
        "at least so many networks with redrawn weights over all cases, as a null; 0: none",
        "networks",
        ge=0,
    )
    games: Annotated[
        tuple[Annotated[GameSettings, BeforeValidator(_game)], ...], BeforeValidator(as_list)
    ] = setting((), "baselines, BASELINE:parts=64,budget=20000, or settings of games")
    groups: Annotated[tuple[str, ...], BeforeValidator(as_list)] = setting(
        (), "columns of the cases' table that are compared; none: all with two to six values"
    )

    def division_of(self, game: GameSettings) -> RegionSource:
        """The division whose regions a game takes away: the first where it names none."""
        return next(source for source in self.of if game.of in (None, source.told))

    @model_validator(mode="after")
    def _games_of_divisions(self) -> RegionSettings:
        known = [source.told for source in self.of]
        for game in self.games:
            if game.of is not None and game.of not in known:
                raise ValueError(
                    f"games: found of: {game.of!r}, expected a division; {suggest(game.of, known)}"
                )
        return self

    @field_validator("of")
    @classmethod
    def _named_apart(cls, value: tuple[RegionSource, ...]) -> tuple[RegionSource, ...]:
        no_repeats("division", [source.told for source in value])
        return value

    @field_validator("games")
    @classmethod
    def _games_apart(cls, value: tuple[GameSettings, ...]) -> tuple[GameSettings, ...]:
        no_repeats("game", [game.told for game in value])
        return value


__all__ = ["LABEL", "PREDICTED", "GameSettings", "RegionSettings", "RegionSource"]
