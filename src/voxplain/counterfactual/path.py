"""A series of images on the way to another decision: one interface for simulators and generators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from voxplain.errors import InputError, suggest

Fact = float | bool | str


@dataclass(frozen=True, eq=False)
class CounterfactualPath:
    """One image at growing doses of a change, what the model says of each, and maps of what changes.

    Args:
        frames: (F, C, *S); the first is the image itself.
        doses: (F,) rising from 0.
        scores: (F,) the model's score of each frame.
        target: the score to reach.
        dose: the smallest that reaches it; where none does, the one that comes closest.
        reached: whether one does.
        monotone: whether the score goes towards the target all the way.
        maps: what changes at `dose`, by name: (*S), or (C', *S) of several components.
        diagnostics: what says whether to believe it: numbers and remarks by name.
        withheld: maps that are not given, and why.

    Raises:
        InputError: frames, doses and scores of different lengths.
    """

    frames: Tensor
    doses: Tensor
    scores: Tensor
    target: float
    dose: float
    reached: bool
    monotone: bool
    maps: Mapping[str, Tensor]
    diagnostics: Mapping[str, Fact]
    withheld: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(self.frames), len(self.doses), len(self.scores)}
        if len(lengths) != 1:
            raise InputError(
                f"path: found {len(self.frames)} frames, {len(self.doses)} doses and {len(self.scores)} scores, expected as "
                "many of each"
            )

    def map(self, name: str) -> Tensor:
        """A map by name.

        Raises:
            InputError: there is none, or it is withheld, and why.
        """
        if name in self.withheld:
            raise InputError(f"map {name!r}: is withheld: {self.withheld[name]}")
        if name not in self.maps:
            raise InputError(f"map {name!r}: unknown; {suggest(name, self.maps)}")
        return self.maps[name]

    def __repr__(self) -> str:
        """Short: arrays are described, not printed."""
        end = (
            f"reaches {self.target:.3g} at dose {self.dose:.3g}"
            if self.reached
            else f"does not reach {self.target:.3g}"
        )
        way = "" if self.monotone else ", not monotone"
        return f"CounterfactualPath({len(self.frames)} frames of {tuple(self.frames.shape[1:])}, {end}{way})"
