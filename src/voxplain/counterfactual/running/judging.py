"""How good a finished family is, by the same measures for all."""

from __future__ import annotations

import torch
from torch import Tensor

from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.measure.features import RandomFeatures, in_batches
from voxplain.counterfactual.measure.realism import alike_scaled, diversity, kernel_distance
from voxplain.inherent.training.history import Row

COLLAPSED = 0.3  # of the real images' diversity


def judged(generator: Generator, images: Tensor) -> Row:
    """Of as many samples as held-out images (N, C, *S): KID and diversity; and how far copies of the images are off."""
    with torch.no_grad():
        codes = generator.sample(len(images), seed=0)
        samples = torch.cat([generator.decode(part) for part in torch.split(codes, 64)])
        copies = torch.cat([generator.decode(generator.encode(part)) for part in torch.split(images, 64)])
    features = RandomFeatures(images.shape[1], images.ndim - 2)
    real, fake = alike_scaled(in_batches(features, images), in_batches(features, samples))
    return {
        "kid": kernel_distance(real, fake),
        "diversity": diversity(samples, images),
        "copy error": float((copies - images).abs().mean()),
    }


def collapse(row: Row) -> str | None:
    """What to say of a family that makes one image again and again; None of others."""
    if row["diversity"] >= COLLAPSED:
        return None
    return (
        f"the generator has collapsed: its samples differ {row['diversity']:.2f} times as much as real images do, expected "
        f"at least {COLLAPSED:g}; do not rely on what it explains. Train on more images, with augmentation (chance), "
        "or a lower learning_rate"
    )
