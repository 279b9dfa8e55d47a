"""A trained StyleGAN with its encoder, as a family of images that can be explained with."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.counterfactual.style.coordinates import StyleCoordinates
from voxplain.counterfactual.style.encoder import StyleEncoder
from voxplain.counterfactual.style.mapping import Mapping
from voxplain.counterfactual.style.synthesis import Synthesis
from voxplain.errors import InputError, ModelError

Space = Literal["w", "w+"]
_DRAWN = 8192  # styles that statistics are of
_MOVED = 1024  # styles that the spread of single channels is of


class StyleGenerator(nn.Module):
    """Images of styles: codes are one w for all layers, or, in W+, one for each.

    Args:
        mapping, synthesis: trained, the averaged ones.
        encoder: trained; None can decode alone.
        space: which codes; must be the encoder's.
        refine: steps by which codes of images are improved one by one, from what the encoder says; 0 is none.
        rate: of these steps.
        pivot: steps by which it is tuned to each image that is explained, see `pivoted`; 0 is none.
        seed: of the styles that statistics are of.
    """

    def __init__(
        self,
        mapping: Mapping,
        synthesis: Synthesis,
        encoder: StyleEncoder | None = None,
        *,
        space: Space = "w",
        refine: int = 0,
        rate: float = 0.02,
        pivot: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        layers = synthesis.layers if space == "w+" else 0
        if encoder is not None and encoder.layers != layers:
            raise InputError(
                f"space: found {space}, but the encoder gives {encoder.layers or 1} styles, expected {layers or 1}"
            )
        self.mapping, self.synthesis, self.encoder = mapping, synthesis, encoder
        self.space, self.refine, self.rate, self.pivot, self.seed = space, refine, rate, pivot, seed
        self.requires_grad_(False).eval()

    @cached_property
    def statistics(self) -> LatentStatistics:
        """Of styles that the mapping gives to noise; in W+ of all layers together, which plausible images share."""
        return LatentStatistics.of(self.sample(_DRAWN, seed=self.seed))

    @cached_property
    def coordinates(self) -> StyleCoordinates:
        """Single channels of style space."""
        return StyleCoordinates(self.synthesis, self._layered(self.sample(_MOVED, seed=self.seed)))

    def encode(self, images: Tensor) -> Tensor:
        """Codes (N, D) of images (N, C, *S), of W+ (N, layers · D).

        Raises:
            InputError: images of another shape.
            ModelError: there is no encoder.
        """
        if tuple(images.shape[1:]) != self.synthesis.shape:
            raise InputError(
                f"images: found shape {tuple(images.shape[1:])}, expected {self.synthesis.shape} as the generator makes"
            )
        if self.encoder is None:
            raise ModelError("generator: has no encoder; train one (`voxplain counterfactual train` does)")
        with torch.no_grad():
            codes = self.encoder(images).flatten(1)
        return self.refined(images, codes) if self.refine else codes

    def decode(self, codes: Tensor) -> Tensor:
        """Images (N, C, *S), with the layers' own noise: one code is always one image."""
        image: Tensor = self.synthesis(self._layered(codes))
        return image

    def sample(self, count: int, *, seed: int, truncation: float = 1.0) -> Tensor:
        """Codes of noise.

        Args:
            count: N.
            seed: of the noise.
            truncation: 1 takes all, 0 the mean alone; see `Mapping.truncated`.
        """
        device = self.mapping.mean.device
        z = torch.randn(count, self.mapping.size, generator=torch.Generator().manual_seed(seed)).to(device)
        with torch.no_grad():
            w = self.mapping.truncated(self.mapping(z), truncation)
        return w.repeat(1, self.synthesis.layers) if self.space == "w+" else w

    def refined(self, images: Tensor, codes: Tensor) -> Tensor:
        """Codes that make better copies, found by descent; each image by itself, drawn back to plausible codes."""
        statistics, found = self.statistics, codes.detach().clone().requires_grad_(True)
        spread = self.synthesis.scale.spread  # or Hounsfield units would drown what draws codes back
        optimiser = torch.optim.Adam([found], self.rate)
        with torch.enable_grad():
            for _ in range(self.refine):
                gap = F.l1_loss(self.decode(found), images, reduction="none").flatten(1).mean(1) / spread
                far = (statistics.whiten(found).square().sum(1) / statistics.rank - 4).clamp_min(0)
                optimiser.zero_grad()
                torch.autograd.backward((gap + 0.01 * far).sum())
                optimiser.step()
        return found.detach()

    def _layered(self, codes: Tensor) -> Tensor:
        return codes.reshape(len(codes), self.synthesis.layers, -1) if self.space == "w+" else codes
