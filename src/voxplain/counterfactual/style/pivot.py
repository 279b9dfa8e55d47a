"""Pivotal tuning: a generator that is made for one image (Roich et al., TOG 2022)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.counterfactual.style.generator import StyleGenerator


class PivotedGenerator(nn.Module):
    """A tuned generator, and the code that one image has in it.

    Args:
        tuned: the generator.
        image: (C, *S) that it was tuned to.
        code: (D,) the pivot.
    """

    image: Tensor
    code: Tensor

    def __init__(self, tuned: StyleGenerator, image: Tensor, code: Tensor) -> None:
        super().__init__()
        self.tuned = tuned
        self.register_buffer("image", image)
        self.register_buffer("code", code)

    @property
    def statistics(self) -> LatentStatistics:
        """Those before: styles stay, and what is made of them changes."""
        return self.tuned.statistics

    def encode(self, images: Tensor) -> Tensor:
        """Codes (N, D) of images (N, C, *S): of its own image the pivot."""
        codes = self.tuned.encode(images)
        own = (images == self.image).flatten(1).all(1)
        return torch.where(own[:, None], self.code, codes)

    def decode(self, codes: Tensor) -> Tensor:
        """Images (N, C, *S) of codes (N, D)."""
        return self.tuned.decode(codes)

    def sample(self, count: int, *, seed: int) -> Tensor:
        """Codes (N, D) of noise."""
        return self.tuned.sample(count, seed=seed)


def pivoted(
    generator: StyleGenerator, image: Tensor, *, steps: int = 200, rate: float = 3e-3
) -> PivotedGenerator:
    """A generator of its own for one image, which it copies better.

    The code stays, and the synthesis learns the image around it. Directions must be asked of the new generator, which is
    another family of images.

    Args:
        generator: left as it is.
        image: (C, *S).
        steps, rate: of the tuning.
    """
    own = copy.deepcopy(generator)
    code = generator.encode(image[None])
    # images of other codes stay what they were, so that only what surrounds this one changes
    others = generator.sample(8, seed=generator.seed + 1)
    with torch.no_grad():
        kept = generator.decode(others)
    own.synthesis.requires_grad_(True)
    optimiser = torch.optim.Adam(own.synthesis.parameters(), rate)
    with torch.enable_grad():
        for _ in range(steps):
            loss = F.l1_loss(own.decode(code), image[None]) + 0.5 * F.l1_loss(own.decode(others), kept)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
    own.requires_grad_(False)
    return PivotedGenerator(own, image.detach().clone(), code[0].detach().clone())
