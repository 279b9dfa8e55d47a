"""Extremal perturbation: the part of the image, of a given size, that matters most to the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.baseline import Baseline, check_baseline, parse_baseline
from voxplain.attribution.method import Method, Result, register
from voxplain.attribution.perturbation.mask_search import MaskSearch
from voxplain.attribution.perturbation.smooth_mask import SmoothMasks, blurs
from voxplain.engine import Passes, Problem
from voxplain.engine.own import OwnInputs
from voxplain.errors import InputError

# Bytes that the masks of the targets that are worked on together may take.
GROUP_BYTES = 512 << 20


@register
@dataclass(frozen=True)
class ExtremalPerturbation(Method):
    """argmax over smooth masks M of area a of F(x behind M): the smallest sufficient part, area by area.

    Fong et al. 2019, "Understanding deep networks via extremal perturbations and smooth masks", eq. 3 and 5. Every
    target has a mask of its own, at the resolution of a coarse grid (see `SmoothMasks`), found by Adam: the score,
    scaled to 1, against λ |sort(M) − r_a|² / voxels, r_a having a share a of ones, with λ growing. ``delete``
    looks for the part without which the score falls most. What the mask hides fades into the blurred image, or into
    a baseline. The authors blur the more the less is shown (``levels`` above 2); in our tests that found a known box
    less often (docs/methods/extremal_perturbation.md), because a weak blur may already cost the whole score, and the
    mask has nothing to follow from there on.

    The map is the mean of the areas' masks. ``kept_score`` and ``deleted_score`` tell what they achieve: the score
    with only the mask shown, and with only the mask hidden, 0 being that of the image hidden as a whole and 1 that
    of the image; the mean over the areas. ``area_error`` is the largest |share of voxels above ½ − area|.

    Args:
        areas: shares of the image, each with a mask of its own.
        mode: ``preserve`` or ``delete``.
        steps: of Adam for each area.
        rate: its step size; masks are in [0, 1].
        width: smoothness of the mask in millimetres where the spacing is known, else in voxels (pixels); a
            sixteenth of the image's longest edge by default.
        sigma: standard deviation of the strongest blur, in the same unit; as the width by default.
        levels: images between which the mask interpolates: 2 for the strongest blur and the image itself, more for
            weaker blurs between them.
        baseline: fade into it instead of blurring, as in integrated gradients.
    """

    areas: float | tuple[float, ...] = (0.05, 0.1, 0.2)
    mode: Literal["preserve", "delete"] = "preserve"
    steps: int = 100
    rate: float = 0.15
    width: float | None = None
    sigma: float | None = None
    levels: int = 2
    baseline: Baseline | float | str | None = None

    name: ClassVar[str] = "extremal_perturbation"
    family: ClassVar[str] = "perturbation"
    title: ClassVar[str] = "Extremal perturbation"
    source: ClassVar[str] = "Fong et al. 2019, arXiv:1910.08485; Fong & Vedaldi 2017, arXiv:1704.03296"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "baseline")
    reads: ClassVar[str] = "near 1: in the part of the image that the score needs most, however small it is"
    signed: ClassVar[bool] = False
    trust: ClassVar[tuple[str, ...]] = ("kept_score", "deleted_score", "area_error")

    def __post_init__(self) -> None:
        areas = (self.areas,) if isinstance(self.areas, (int, float)) else tuple(self.areas)
        object.__setattr__(self, "areas", areas)
        if not areas or not all(0 < a < 1 for a in areas):
            raise InputError(
                f"{self.name}: found areas={areas}, expected shares of the image between 0 and 1"
            )
        if self.mode not in ("preserve", "delete"):
            raise InputError(f"{self.name}: found mode={self.mode!r}, expected 'preserve' or 'delete'")
        if self.steps < 1:
            raise InputError(f"{self.name}: found steps={self.steps}, expected at least 1")
        if self.levels < 2:
            raise InputError(f"{self.name}: found levels={self.levels}, expected at least 2")
        for field in ("rate", "width", "sigma"):
            value = getattr(self, field)
            if value is not None and value <= 0:
                raise InputError(f"{self.name}: found {field}={value}, expected a positive number")
        if self.baseline is not None:
            check_baseline(self.baseline)

    def compute(self, problem: Problem) -> Result:
        levels = self._levels(problem)
        ends = torch.stack([problem.clean_scores(), problem.scores([levels[0]])[0]])
        maps = problem.store(channels=1)
        checks: dict[int, dict[str, float]] = {}
        notes: dict[int, str] = {}
        for group in self._groups(problem):
            search = MaskSearch(
                problem, self.masks(problem), levels, ends, group, self.mode, self.steps, self.rate
            )
            found = [search.run(area) for area in self._areas]
            for k, t in enumerate(group):
                # masks of a score that hiding does not change are shaped by the area alone
                maps[t] = torch.stack([f.masks[k] for f in found]).mean(0)[None] * search.matters(t)
                kept, deleted = ([float(getattr(f, side)[t]) for f in found] for side in ("kept", "deleted"))
                errors = [
                    abs(float((f.masks[k] > 0.5).double().mean()) - a)
                    for f, a in zip(found, self._areas, strict=True)
                ]
                checks[t] = {
                    "kept_score": float(np.mean(kept)),
                    "deleted_score": float(np.mean(deleted)),
                    "area_error": max(errors),
                }
                notes[t] = self._note(kept, deleted, errors)
        return Result(maps, ends[0], "share of masks", checks, notes, voxel_power=0)

    def cost(self, problem: Problem) -> Passes:
        count = len(self._areas)
        own = OwnInputs(problem.engine).cost(problem.present, self.steps * count, 2 * count)
        return self._passes(problem, 0, 2) + own

    @property
    def _areas(self) -> tuple[float, ...]:
        return tuple(self.areas) if isinstance(self.areas, Sequence) else (self.areas,)

    def masks(self, problem: Problem) -> SmoothMasks:
        """The masks that can be drawn on this problem's image."""
        return SmoothMasks(problem.spatial_shape, self._voxels(problem, self.width))

    def _voxels(self, problem: Problem, length: float | None) -> tuple[float, ...]:
        """A length in voxels along each axis."""
        spacing = problem.prepared.spacing
        longest = max(s * n for s, n in zip(spacing, problem.spatial_shape, strict=True))
        length = longest / 16 if length is None else length
        return tuple(length / s for s in spacing)

    def _levels(self, problem: Problem) -> Tensor:
        """The image from hidden to shown, (L, C, *spatial)."""
        if self.baseline is not None:
            return torch.stack([parse_baseline(self.baseline, problem)(problem), problem.image])
        sigma = self.width if self.sigma is None else self.sigma
        return blurs(problem.image, self._voxels(problem, sigma), self.levels)

    def _groups(self, problem: Problem) -> list[list[int]]:
        """Targets whose masks and gradients fit into memory together."""
        each = 8 * problem.padded[0].numel() * (problem.image.shape[0] + 8)
        size = max(GROUP_BYTES // each, 1)
        return [problem.present[i : i + size] for i in range(0, len(problem.present), size)]

    def _note(self, kept: Sequence[float], deleted: Sequence[float], errors: Sequence[float]) -> str:
        parts = [
            f"{a:.0%} of the image: shown alone it keeps {k:.0%} of the score, hidden it leaves {d:.0%}"
            for a, k, d in zip(self._areas, kept, deleted, strict=True)
        ]
        if max(e / a for e, a in zip(errors, self._areas, strict=True)) > 0.25:
            parts.append("the areas are not met: ask for more steps")
        return "; ".join(parts)
