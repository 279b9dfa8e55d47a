"""Changes of images before the discriminator sees them, so that it cannot learn few images by heart.

All of them can be differentiated, and none leaks into what is generated as long as it is not made always (Karras et al.,
NeurIPS 2020; Zhao et al., NeurIPS 2020).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

SHIFT, TURN, ZOOM = 0.125, math.pi / 12, 0.15  # of the size, radians, share
BRIGHTER, STRONGER = 0.2, 0.3  # of the images' range, share


class Augment:
    """Mirror, shift, turn, zoom, brightness and contrast, each made with a chance that follows how the training goes.

    Args:
        chance: of each change to begin with.
        target: share of real images that the discriminator calls real, above their half, at which the chance stays; more
            is a sign of learning by heart. None keeps the chance.
        ramp: images in which the chance can go from 0 to 1.
        mirror: whether left and right may be exchanged, which anatomy may not.
    """

    def __init__(
        self, chance: float = 0.0, *, target: float | None = 0.6, ramp: int = 200_000, mirror: bool = False
    ) -> None:
        self.chance, self.target, self.ramp, self.mirror = chance, target, ramp, mirror

    def __call__(self, x: Tensor, *, seed: int) -> Tensor:
        """Images (N, C, *S), each changed by its own draw."""
        if self.chance <= 0:
            return x
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int) -> Tensor:
            return torch.rand(*shape, generator=generator).to(x)

        n, dims = len(x), x.ndim - 2

        def made(*shape: int) -> Tensor:
            """Uniform in −1 … 1 where the change is made, else 0."""
            often = (draw(n, *(1,) * len(shape)) < self.chance).to(x)
            return often * (2 * draw(n, *shape) - 1)

        x = F.grid_sample(x, self._grid(x, dims, made), padding_mode="border", align_corners=False)
        if self.mirror:
            flip = (draw(n) < self.chance / 2).reshape(-1, *(1,) * (x.ndim - 1))
            x = torch.where(flip, x.flip(2), x)
        shape = (-1, *(1,) * (x.ndim - 1))
        reach = (x.amax() - x.amin()).detach()
        mean = x.mean(tuple(range(1, x.ndim)), keepdim=True)
        x = (x - mean) * (1 + STRONGER * made(1)).reshape(shape) + mean
        return x + BRIGHTER * reach * made(1).reshape(shape)

    def follow(self, sign: float, images: int) -> float:
        """Change the chance by what the discriminator said of real images since.

        Args:
            sign: mean of the signs of its scores of real images, from −1 to 1: r_t of the publication.
            images: that were shown since.

        Returns:
            the new chance.
        """
        if self.target is not None:
            step = images / self.ramp
            self.chance = min(max(self.chance + math.copysign(step, sign - self.target), 0.0), 0.8)
        return self.chance

    @staticmethod
    def _grid(x: Tensor, dims: int, made: object) -> Tensor:
        """Where each voxel looks; axes of `affine_grid` run the other way round."""
        assert callable(made)
        n, size = len(x), torch.tensor(list(reversed(x.shape[2:]))).to(x)
        turn = torch.eye(dims, device=x.device, dtype=x.dtype).expand(n, dims, dims).clone()
        angle = TURN * made(1)[:, 0]
        cos, sin = torch.cos(angle), torch.sin(angle)
        turn[:, 0, 0], turn[:, 0, 1], turn[:, 1, 0], turn[:, 1, 1] = cos, -sin, sin, cos
        # turned in voxels, since coordinates run from −1 to 1 along every axis whatever its length
        turn = turn * size[None, None, :] / size[None, :, None]
        zoom = torch.exp(ZOOM * made(1))[:, :, None]
        place = torch.cat([turn * zoom, (2 * SHIFT * made(dims))[:, :, None]], 2)
        return F.affine_grid(place, list(x.shape), align_corners=False)
