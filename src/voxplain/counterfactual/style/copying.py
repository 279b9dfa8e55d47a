"""Encoder and synthesis learn together to copy images, with codes that are plausible styles."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxplain.counterfactual.style.encoder import StyleEncoder
from voxplain.counterfactual.style.mapping import Mapping
from voxplain.counterfactual.style.synthesis import Synthesis

JITTER, LIKENESS, SLICES = 0.3, 0.1, 64
_DRAWN = 256


class Copying(nn.Module):
    """The copies of a batch and what they cost.

    Codes are blurred a little before they are decoded, so that neighbours mean similar images; and their distribution is
    drawn to that of styles (sliced Wasserstein distance: Kolouri et al., ICLR 2019), so that copies and samples are one
    family.

    Args:
        encoder, synthesis: that learn.
        mapping: whose styles codes are to look like.
    """

    def __init__(self, encoder: StyleEncoder, synthesis: Synthesis, mapping: Mapping) -> None:
        super().__init__()
        self.encoder, self.synthesis, self.mapping = encoder, synthesis, mapping

    def forward(self, images: Tensor, *, seed: int) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Copies (N, C, *S), their cost, and its parts.

        Args:
            images: (N, C, *S).
            seed: of blur and slices.
        """
        draw = torch.Generator().manual_seed(seed)
        codes = self.encoder(images)
        with torch.no_grad():
            z = torch.randn(max(_DRAWN, len(codes)), self.mapping.size, generator=draw).to(codes)
            styles = self.mapping(z)
        deviation = styles.std(0) + 1e-8
        blurred = codes + JITTER * deviation * torch.randn(codes.shape, generator=draw).to(codes)
        copies = self.synthesis(blurred)
        scale = self.synthesis.scale
        voxels = (scale.inward(copies) - scale.inward(images)).square().mean()
        likeness = sliced_distance(blurred / deviation, styles[: len(codes)] / deviation, draw)
        return copies, voxels + LIKENESS * likeness, {"copy loss": voxels, "code likeness": likeness}


def sliced_distance(a: Tensor, b: Tensor, draw: torch.Generator, slices: int = SLICES) -> Tensor:
    """Mean squared Wasserstein distance of two sets of codes (N, D), projected on random lines.

    >>> a = torch.tensor([[0.0], [1.0]])
    >>> float(sliced_distance(a, a.flip(0) + 2, torch.Generator()))
    4.0
    """
    lines = torch.randn(a.shape[1], slices, generator=draw).to(a)
    lines = lines / lines.norm(dim=0)
    return (torch.sort(a @ lines, 0).values - torch.sort(b @ lines, 0).values).square().mean()
