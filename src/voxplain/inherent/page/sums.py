"""The decision as a sum, drawn: what speaks for a class, then what against it, then the rest, and where that ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxplain.inherent.page.cases import Share

_LEAST = 0.0005  # what the page's three digits would not show


@dataclass(frozen=True)
class Piece:
    """A bar from `start` on, both in hundredths of the drawing's width."""

    kind: str
    start: float
    width: float


@dataclass(frozen=True)
class SumBar:
    """One class: pieces that follow one another, zero, and the logit at which they end.

    Attributes:
        pieces: for, against, and what no place explains.
        zero, end: places in hundredths of the width.
        words: the same in a sentence.
    """

    pieces: tuple[Piece, ...]
    zero: float
    end: float
    words: str


def sum_bars(shares: Sequence[Share]) -> tuple[SumBar, ...]:
    """All classes of an image at one scale.

    >>> from voxplain.inherent.page.cases import Share
    >>> (bar,) = sum_bars([Share("ring", 3.0, -1.0, 0.0, 2.0, 0.88, True, True)])
    >>> [(p.kind, p.start, p.width) for p in bar.pieces], bar.end
    ([('for', 0.0, 100.0), ('against', 66.7, 33.3)], 66.7)
    """
    reached = [0.0]
    for share in shares:
        reached += [share.above, share.above + share.below, share.logit]
    low, high = min(reached), max(reached)
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return round(100 * (value - low) / span, 1)

    def bar(share: Share) -> SumBar:
        pieces, at = [], 0.0
        for kind, size in (("for", share.above), ("against", share.below), ("rest", share.unexplained)):
            if abs(size) >= _LEAST:
                first, last = sorted((place(at), place(at + size)))
                pieces.append(Piece(kind, first, round(last - first, 1)))
            at += size
        words = (
            f"{share.name}: +{share.above:.3g} for it, {share.below:.3g} against it, {share.unexplained:+.3g} that no place "
            f"of the image explains: logit {share.logit:.3g}, probability {share.probability:.3f}"
        )
        return SumBar(tuple(pieces), place(0.0), place(share.logit), words.replace("-", "−"))

    return tuple(bar(share) for share in shares)
