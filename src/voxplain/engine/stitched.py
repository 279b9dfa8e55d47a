"""Stitched outputs at the voxels of a region: what non-linear scores are functions of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from voxplain.engine.terms import WindowTerms, link_with_derivative
from voxplain.target.functional import Functional


class Stitched:
    """Outputs of one input at the voxels of the non-linear targets' regions, summed window by window.

    Args:
        functionals: all targets; only the non-linear ones among ``targets`` are kept.
        channels: K of the raw output.
    """

    def __init__(
        self, functionals: Sequence[Functional | None], targets: Sequence[int], channels: int
    ) -> None:
        self.functionals = functionals
        self.outputs: dict[int, Tensor] = {}
        for t in targets:
            functional = functionals[t]
            assert functional is not None and functional.region is not None
            self.outputs[t] = torch.zeros((channels, functional.region.count), dtype=torch.float64)

    def part(self, terms: WindowTerms, z: Tensor) -> dict[int, Tensor]:
        """One window's blended share of the outputs at each region's voxels: {target: (K, m)}."""
        flat = z.detach().flatten(1)
        return {
            term.target: flat[:, term.voxels.to(z.device)].cpu().double() * term.blend
            for term in terms.terms
            if term.target in self.outputs
        }

    def add(self, part: dict[int, Tensor], places: dict[int, Tensor], sign: float = 1.0) -> None:
        """Add a window's share; ``places`` are its voxels' positions within each region."""
        for target, share in part.items():
            self.outputs[target][:, places[target]] += sign * share

    def copy(self) -> Stitched:
        other = Stitched.__new__(Stitched)
        other.functionals = self.functionals
        other.outputs = {t: z.clone() for t, z in self.outputs.items()}
        return other

    def value(self, target: int) -> tuple[Tensor, Tensor]:
        """The score and its derivative at the region's voxels: (), (K, n)."""
        functional = self.functionals[target]
        assert functional is not None
        return link_with_derivative(functional, self.outputs[target])
