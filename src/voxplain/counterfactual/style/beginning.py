"""Where a StyleGAN's networks begin: at the mean image, with principal components as codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from voxplain.counterfactual.generator.pca import PcaGenerator
from voxplain.counterfactual.style.discriminator import Discriminator
from voxplain.counterfactual.style.encoder import StyleEncoder, coarsened
from voxplain.counterfactual.style.mapping import Mapping
from voxplain.counterfactual.style.synthesis import Synthesis
from voxplain.inherent.data.prepared import Images

# that components are found of: more of them take minutes and tell hardly more of some dozens
MOST_IMAGES = 2048
LEAST_DEVIATION = 1e-4  # of a component, as a share of the first one's; below, it may be rounding alone


@dataclass(frozen=True, eq=False)
class Beginning:
    """What is known of images before anything is learned.

    A style code that begins as the whitened principal components tells all that a linear code can, from the first step on;
    the synthesis then learns to draw what it is told, which a discriminator alone teaches many times as slowly.

    Args:
        centre: (C, *S) the mean image.
        spread: () deviation of images from it, over all voxels.
        filters: (D, C, *coarse) that give D components of variance 1 of coarse deviations; 0 where there are fewer.
    """

    centre: Tensor
    spread: Tensor
    filters: Tensor

    @classmethod
    def of(cls, images: Images, indices: Sequence[int], styles: int, seed: int) -> Self:
        """Of the training images, read one after the other.

        Args:
            images: prepared.
            indices: of the training part.
            styles: D.
            seed: of which images components are found of, where they are too many.

        Raises:
            InputError: too few images, images that do not vary.
        """
        first = images[indices[0]]
        total, square = torch.zeros_like(first, dtype=torch.float64), 0.0
        for index in indices:
            x = images[index].double()
            total, square = total + x, square + float(x.square().sum())
        centre = total / len(indices)
        variance = square / len(indices) - float(centre.square().sum())
        # images that are all alike are refused below, by name
        spread = max(variance / centre.numel(), 1e-12) ** 0.5
        most = max(MOST_IMAGES, 4 * styles)
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(indices), generator=generator)[:most].sort().values.tolist()
        small = torch.cat([coarsened(((images[indices[k]] - centre) / spread)[None].float()) for k in chosen])
        found = PcaGenerator.fit(small, min(styles, len(small) - 1, small[0].numel()))
        # whitening a component that images do not have would amplify rounding errors without bounds
        count = int((found.deviations > LEAST_DEVIATION * found.deviations[0]).sum())
        filters = small.new_zeros(styles, *small.shape[1:])
        deviations = found.deviations[:count].reshape(-1, *(1,) * (small.ndim - 1))
        filters[:count] = found.components[:count] / deviations
        return cls(centre.float(), torch.tensor(spread, dtype=torch.float32), filters)

    def give(
        self,
        mapping: Mapping,
        synthesis: Synthesis,
        encoder: StyleEncoder | None = None,
        discriminator: Discriminator | None = None,
    ) -> None:
        """Let networks begin there, in place."""
        mapping.settle()
        for network in (synthesis, encoder, discriminator):
            if network is not None:
                network.scale.set(self.centre, self.spread)
        if encoder is not None:
            encoder.begin(self.filters)
