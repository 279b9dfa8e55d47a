"""How good a finished family is, by the same measures for all."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.measure.compared import compared
from voxplain.inherent.training.history import Row

COLLAPSED = 0.3  # of the real images' diversity
DOUBLES = 0.1  # of the distance of a real image to the most similar other one


def judged(generator: Generator, images: Tensor, features: nn.Module | None = None) -> Row:
    """Of as many samples as held-out images (N, C, *S): see `compared`; and how far copies of the images are off."""
    with torch.no_grad():
        codes = generator.sample(len(images), seed=0)
        samples = torch.cat([generator.decode(part) for part in torch.split(codes, 64)])
        copies = torch.cat([generator.decode(generator.encode(part)) for part in torch.split(images, 64)])
    return {**compared(samples, images, features), "copy error": float((copies - images).abs().mean())}


def collapse(row: Row) -> str | None:
    """What to say of a family that makes one image, or a few, again and again; None of others."""
    if row["diversity"] < COLLAPSED:
        found = f"its samples differ {row['diversity']:.2f} times as much as real images do, expected at least {COLLAPSED:g}"
    elif row.get("distinctness", 1.0) < DOUBLES:
        found = (
            f"every sample has a double: the most similar other one is {row['distinctness']:.2f} times as far away as of "
            f"real images, expected at least {DOUBLES:g}"
        )
    else:
        return None
    return (
        f"the generator has collapsed: {found}; do not rely on what it explains. Train on more images, with augmentation "
        "(chance), or a lower learning_rate"
    )
