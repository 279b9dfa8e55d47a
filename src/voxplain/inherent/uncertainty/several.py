"""One image, several answers: turned images, networks that drop units, several networks. What runs them is a function."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError

Array = NDArray[np.floating]
Answer = tuple[Array, Array]
Predict = Callable[[Array], Answer]  # image (C, *S) -> logits (K,), evidence (K, *S)


@dataclass(frozen=True)
class Turn:
    """A flip and a quarter turn of the spatial axes; it moves voxels and makes no new values.

    Attributes:
        flips: spatial axes that are mirrored, first.
        quarters: quarter turns in ``plane``, after it.
        plane: two spatial axes.
    """

    flips: tuple[int, ...] = ()
    quarters: int = 0
    plane: tuple[int, int] = (0, 1)

    def __call__(self, array: Array) -> Array:
        """(C, *S) turned."""
        flipped = np.flip(array, tuple(a + 1 for a in self.flips))
        return np.rot90(flipped, self.quarters, (self.plane[0] + 1, self.plane[1] + 1))

    def back(self, array: Array) -> Array:
        """(C, *S) as it was before."""
        turned = np.rot90(array, -self.quarters, (self.plane[0] + 1, self.plane[1] + 1))
        return np.flip(turned, tuple(a + 1 for a in self.flips))


def all_flips(dims: int) -> list[Turn]:
    """Every subset of axes mirrored, none first: 4 of a slice, 8 of a volume.

    >>> [t.flips for t in all_flips(2)]
    [(), (0,), (1,), (0, 1)]
    """
    return [Turn(axes) for n in range(dims + 1) for axes in itertools.combinations(range(dims), n)]


def turned(predict: Predict, turns: Sequence[Turn]) -> Callable[[Array], Iterator[Answer]]:
    """Test-time augmentation: each turn's answer, its evidence turned back onto the image.

    Raises:
        InputError: no turn, or, when run, evidence of another shape than the image.
    """
    if not turns:
        raise InputError("turns: found none, expected at least one")

    def answers(image: Array) -> Iterator[Answer]:
        for turn in turns:
            logits, evidence = predict(np.ascontiguousarray(turn(image)))
            evidence = turn.back(evidence)
            _check(image, logits, evidence)
            yield logits, evidence

    return answers


def repeated(
    predict: Predict, draws: int, reseed: Callable[[int], object], seed: int = 0
) -> Callable[[Array], Iterator[Answer]]:
    """Monte-Carlo dropout (Gal & Ghahramani, 2016): the same image, as often as asked.

    Args:
        predict: answers by chance, such as a network whose dropout stays on.
        draws: how often.
        reseed: is given a number before each answer, such as ``torch.manual_seed``; the numbers follow from the seed alone,
            so that an image gets the same answers whatever came before it.

    Raises:
        InputError: fewer than one draw.
    """
    if draws < 1:
        raise InputError(f"draws: found {draws}, expected at least 1")
    numbers = np.random.default_rng([seed, 0xD120]).integers(2**31, size=draws)

    def answers(image: Array) -> Iterator[Answer]:
        for number in numbers:
            reseed(int(number))
            logits, evidence = predict(image)
            _check(image, logits, evidence)
            yield logits, evidence

    return answers


def ensemble(members: Sequence[Predict]) -> Callable[[Array], Iterator[Answer]]:
    """Several networks (Lakshminarayanan, Pritzel & Blundell, 2017), one after the other.

    Raises:
        InputError: no member.
    """
    if not members:
        raise InputError("members: found none, expected at least one")

    def answers(image: Array) -> Iterator[Answer]:
        for predict in members:
            logits, evidence = predict(image)
            _check(image, logits, evidence)
            yield logits, evidence

    return answers


def _check(image: Array, logits: Array, evidence: Array) -> None:
    wanted = (*np.shape(logits), *image.shape[1:])
    if evidence.shape != wanted or np.ndim(logits) != 1:
        raise InputError(
            f"predict: found logits {np.shape(logits)}, evidence {evidence.shape}, expected (K,) and {wanted}"
        )
