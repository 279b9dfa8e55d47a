"""A world of normal images, where the best denoiser, and all that comes of it, is known in closed form."""

from __future__ import annotations

import torch

from voxplain.counterfactual.diffusion import Denoiser, DiffusionGenerator, Schedule
from voxplain.counterfactual.generator import LatentStatistics

SHAPE = (1, 4, 4)
PIXELS = 16


class World:
    """Images N(mean, Σ) with variances from 0.01 to 4 along random axes."""

    def __init__(self):
        generator = torch.Generator().manual_seed(3)
        self.axes = torch.linalg.qr(torch.randn(PIXELS, PIXELS, generator=generator, dtype=torch.double))[0]
        self.variances = torch.logspace(-2, 0.6, PIXELS, dtype=torch.double)
        self.mean = torch.randn(PIXELS, generator=generator, dtype=torch.double)
        self.covariance = self.axes * self.variances @ self.axes.T

    def images(self, count, seed=0):
        drawn = torch.randn(count, PIXELS, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
        return (self.mean + drawn * self.variances.sqrt() @ self.axes.T).reshape(count, *SHAPE)

    def noise(self, schedule):
        """E[ε | x_t] = √(1 − a) (a Σ + 1 − a)⁻¹ (x_t − √a mean)."""

        def told(x, time):
            kept = float(schedule.alphas[time])
            away = (x.flatten(1) - kept**0.5 * self.mean) @ self.axes
            return ((1 - kept) ** 0.5 * (away / (kept * self.variances + 1 - kept)) @ self.axes.T).reshape(
                x.shape
            )

        return told

    def shift(self, weights, kept):
        """By what guidance of 1 moves an image: from level a, towards the density that the goal tilts.

        Unguided, axes with variance λ go from level a to images by √(λ / (a λ + 1 − a)); guided, they do so around a mean
        that lies λ · weight further.
        """
        along = weights.double() @ self.axes * self.variances
        back = (kept * self.variances / (kept * self.variances + 1 - kept)).sqrt()
        return (along * (1 - back)) @ self.axes.T


class Known(torch.nn.Module):
    """The best network of this world, as a denoiser asks it: √a ε − √(1 − a) x_0."""

    def __init__(self, schedule):
        super().__init__()
        self.schedule, self.told = schedule, WORLD.noise(schedule)

    def forward(self, x, times):
        time = int(times[0])
        kept = float(self.schedule.alphas[time])
        return (self.told(x, time) - (1 - kept) ** 0.5 * x) / kept**0.5


WORLD = World()


def generator(steps, depth):
    """A diffusion that knows the world."""
    schedule = Schedule(steps=steps)
    factor = WORLD.axes * WORLD.variances.sqrt()
    denoiser = Denoiser(Known(schedule), schedule.kind)
    return DiffusionGenerator(
        denoiser, SHAPE, LatentStatistics(WORLD.mean, factor), steps=steps, depth=depth
    ).double()
