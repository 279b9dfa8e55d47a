"""What a model says of images whose codes are known: all that a black box is ever asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.counterfactual.generator.protocol import Generator
from voxplain.errors import InputError, ModelError

Scorer = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Queries:
    """Codes and the model's scores of their images.

    Args:
        codes: (N, D).
        scores: (N,) logits, or whatever the model gives.
    """

    codes: Tensor
    scores: Tensor

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or self.scores.shape != self.codes.shape[:1]:
            raise InputError(
                f"scores: found shape {tuple(self.scores.shape)} for codes {tuple(self.codes.shape)}, expected one per code"
            )

    def __len__(self) -> int:
        return len(self.scores)


def ask(generator: Generator, scorer: Scorer, codes: Tensor, *, batch: int = 64) -> Queries:
    """The model's score of the image of each code (N, D).

    Raises:
        ModelError: it gives other than one finite number per image.
    """
    with torch.no_grad():
        told = [scored(scorer, generator.decode(codes[i : i + batch])) for i in range(0, len(codes), batch)]
    return Queries(codes, torch.cat(told).to(codes.dtype))


def scored(scorer: Scorer, images: Tensor) -> Tensor:
    """(N,) scores of images (N, C, *S).

    Raises:
        ModelError: other than one finite number per image.
    """
    found = scorer(images)
    if not isinstance(found, Tensor) or found.shape != (len(images),):
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ModelError(
            f"score: found {shape} for {len(images)} images, expected ({len(images)},), one number each"
        )
    if not bool(torch.isfinite(found).all()):
        raise ModelError(
            f"score: found NaN or infinity for {int((~torch.isfinite(found)).sum())} of {len(images)} images"
        )
    return found
