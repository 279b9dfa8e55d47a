"""How well a surrogate says what the black box says."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from voxplain.errors import InputError

LEAST_R2, LEAST_AGREEMENT = 0.5, 0.9


@dataclass(frozen=True)
class Fidelity:
    """On images that the surrogate has not learned from.

    Attributes:
        r2: share of the variance of the black box's logits that the surrogate's explain; 1 at best, below 0 where their mean
            would be better.
        agreement: share of images with the same decision.
        images: how many.
    """

    r2: float
    agreement: float
    images: int

    @property
    def low(self) -> bool:
        """Whether a simulator that was trained with the surrogate may explain the surrogate rather than the black box."""
        return self.r2 < LEAST_R2 or self.agreement < LEAST_AGREEMENT

    def told(self) -> str:
        """In words."""
        return (
            f"on {self.images} images that it has not learned from, the surrogate decides as the black box in "
            f"{100 * self.agreement:.0f} %, and its logits explain {self.r2:.2f} of the variance (R²)"
        )

    def sentence(self) -> str:
        """The same, and loudly where it is low."""
        told = self.told()
        if not self.low:
            return f"The classifier is a black box; {told}."
        return (
            f"LOW FIDELITY: {told}. Maps may show what the surrogate looks for and not what the classifier does: asked are "
            f"at least {100 * LEAST_AGREEMENT:.0f} % and {LEAST_R2:g}; more training images or epochs may help."
        )


def fidelity(truth: Tensor, found: Tensor) -> Fidelity:
    """Of logits towards the disease.

    Args:
        truth: (N,) the black box's.
        found: (N,) the surrogate's.

    Raises:
        InputError: no images, or another number of them.

    >>> import torch
    >>> fidelity(torch.tensor([-1.0, 1.0, 3.0]), torch.tensor([-1.0, -1.0, 3.0]))
    Fidelity(r2=0.5, agreement=0.6666666666666666, images=3)
    """
    if truth.shape != found.shape or truth.ndim != 1 or not len(truth):
        raise InputError(
            f"logits: found {tuple(truth.shape)} and {tuple(found.shape)}, expected as many of both"
        )
    a, b = truth.double(), found.double()
    spread = float(((a - a.mean()) ** 2).sum())
    missed = float(((a - b) ** 2).sum())
    r2 = 1 - missed / spread if spread > 0 else float(missed == 0)
    return Fidelity(r2, float(((a > 0) == (b > 0)).double().mean()), len(a))
