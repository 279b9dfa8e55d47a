"""What of a family can be moved by itself: one coordinate after the other, whatever they are coordinates of."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from torch import Tensor

from voxplain.counterfactual.generator.protocol import Generator
from voxplain.errors import InputError

CoordinateSpace = Literal["auto", "codes", "styles"]


class Coordinates(Protocol):
    """Of a family, from the one along which images vary most."""

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    def place(self, index: int) -> str:
        """Where a coordinate lies, in words; empty where its number says all."""
        ...

    def moved(self, codes: Tensor, index: int, by: float) -> Tensor:
        """Images (N, C, *S) of codes (N, D) with one coordinate moved by so many standard deviations."""
        ...


@runtime_checkable
class HasStyles(Protocol):
    """A generator whose layers have styles that can be moved channel by channel."""

    @property
    def coordinates(self) -> Coordinates:
        """Single channels of all layers' styles."""
        ...


class CodeCoordinates:
    """Of whitened codes: components, or principal axes of a network's codes.

    Args:
        generator: whose codes.
    """

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    @property
    def count(self) -> int:
        return self.generator.statistics.rank

    def place(self, index: int) -> str:
        return ""

    def moved(self, codes: Tensor, index: int, by: float) -> Tensor:
        return self.generator.decode(codes + by * self.generator.statistics.factor[:, index].to(codes))


def coordinates_of(generator: Generator, space: CoordinateSpace = "auto") -> Coordinates:
    """Styles where a family has them, else codes, or what is asked for.

    Raises:
        InputError: styles of a family without.
    """
    if space != "codes" and isinstance(generator, HasStyles):
        return generator.coordinates
    if space == "styles":
        raise InputError("attributes.space: found styles for a generator without, expected codes or auto")
    return CodeCoordinates(generator)
