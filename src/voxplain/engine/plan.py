"""Which windows matter to which targets, and where their voxels are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import torch
from torch import Tensor

from voxplain.engine.layout import Layout, Slices
from voxplain.engine.terms import WindowTerms
from voxplain.target.functional import Functional


class Plan:
    """The bipartite graph of windows and targets.

    Args:
        layout: windows of a segmentation; ``None`` for a classifier, which has one window.
        shape: spatial shape of the (padded) image.
        functionals: the targets' frozen scalars, ``None`` where absent.
        keep: how many windows' entries are kept, at least a batch.
    """

    def __init__(
        self,
        layout: Layout | None,
        shape: tuple[int, ...],
        functionals: Sequence[Functional | None],
        keep: int = 8,
    ) -> None:
        self.layout, self.shape, self.functionals = layout, shape, functionals
        self.present = [t for t, f in enumerate(functionals) if f is not None]
        self.touching: list[list[int]] = self._touching()
        # a batch of windows is worked on at a time, each for all its draws in a row
        self.terms = lru_cache(maxsize=keep)(self._terms)
        self._flat = cache(self._flat_of)

    def _touching(self) -> list[list[int]]:
        if self.layout is None:
            return [list(self.present)]
        out = []
        for window in range(len(self.layout)):
            seen = self.layout.overlap_with(window)
            touched = [t for t in self.present if seen is not None and self._touches(t, seen[0])]
            out.append(touched)
        return out

    def _touches(self, target: int, where: Slices) -> bool:
        functional = self.functionals[target]
        assert functional is not None and functional.region is not None
        return functional.region.touches(where)

    def __len__(self) -> int:
        return len(self.touching)

    def where(self, window: int) -> Slices:
        """The window as slices of the padded image."""
        if self.layout is None:
            return tuple(slice(0, s) for s in self.shape)
        return self.layout.slices[window]

    def windows(self, targets: Sequence[int]) -> list[int]:
        """Windows that any of the targets depends on."""
        wanted = set(targets)
        return [w for w, touched in enumerate(self.touching) if wanted.intersection(touched)]

    def _terms(self, window: int) -> WindowTerms:
        return WindowTerms(self.layout, window, self.functionals, self.touching[window])

    def linear(self, targets: Sequence[int]) -> list[int]:
        """Targets whose cotangent needs no stitched output: linear ones, and all where there is one window."""
        if len(self) == 1:
            return list(targets)
        return [t for t in targets if (f := self.functionals[t]) is not None and f.is_linear]

    def places(self, window: int, targets: Sequence[int]) -> dict[int, Tensor]:
        """For each target, the ranks within its region of the voxels that this window sees, in window order."""
        assert self.layout is not None
        seen = self.layout.overlap_with(window)
        out: dict[int, Tensor] = {}
        for t in targets:
            functional = self.functionals[t]
            if (
                seen is None
                or t not in self.touching[window]
                or functional is None
                or functional.region is None
            ):
                continue
            inside = self._numbers(functional.region.crop(seen[0]), seen[0])
            out[t] = torch.searchsorted(self._flat(t), inside)
        return out

    def _flat_of(self, target: int) -> Tensor:
        """Numbers of a region's voxels in the whole image, ascending."""
        functional = self.functionals[target]
        assert functional is not None and functional.region is not None
        region = functional.region
        return self._numbers(region.crop(region.bounds), region.bounds)

    def _numbers(self, member: Tensor, where: Slices) -> Tensor:
        """Numbers, in the whole image, of the true voxels of a box."""
        assert self.layout is not None
        numbers = torch.zeros(int(member.sum()), dtype=torch.long)
        for axis, index in enumerate(member.nonzero(as_tuple=True)):
            numbers = numbers * self.layout.shape[axis] + index + where[axis].start
        return numbers
