"""What a game of regions found, and its rows for long tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.aggregate.long_table import JOINER
from voxplain.attribution.baselines.plausibility import Plausibility
from voxplain.engine import Passes

Row = dict[str, object]


@dataclass(frozen=True, eq=False)
class RegionGame:
    """What every target owes to every region, against one baseline.

    Regions without a voxel in this image and absent targets are NaN. A region that looks like the baseline is worth
    exactly zero.

    Attributes:
        case, model: their names.
        targets: (T) names.
        partition: its name.
        regions: (R) names.
        present: (R,) bool, whether the region has voxels.
        baseline: what an absent region shows, in the grammar of `parse_baseline`.
        plausibility: whether the baseline could be part of this image.
        full: (T,) v(N): the score of the image.
        empty: (T,) v(∅): the score of the baseline.
        exact: (T,) bool, whether nothing was drawn.
        shapley: (T, R) double, ``None`` where not asked for; each target's sum is v(N) − v(∅).
        shapley_error: (T, R) standard errors, 0 where exact.
        occlusion: (T, R) v(N) − v(N∖i), exact; ``None`` where not asked for.
        alone: (T, R) v({i}) − v(∅), exact, asked for with occlusion.
        interaction: (T, R, R) Shapley interaction index of pairs, positive where two regions are worth more together;
            zero diagonal; ``None`` where not asked for.
        interaction_error: (T, R, R) standard errors, 0 where exact.
        gap: (T,) |Σ Shapley values − (v(N) − v(∅))| relative to the difference.
        passes: what it took.
    """

    case: str
    model: str
    targets: tuple[str, ...]
    partition: str
    regions: tuple[str, ...]
    present: Tensor
    baseline: str
    plausibility: Plausibility
    full: Tensor
    empty: Tensor
    exact: Tensor
    shapley: Tensor | None
    shapley_error: Tensor | None
    occlusion: Tensor | None
    alone: Tensor | None
    interaction: Tensor | None
    interaction_error: Tensor | None
    gap: Tensor
    passes: Passes

    def rows(self) -> list[Row]:
        """Long rows: case, model, method, target, partition, region, statistic, value, error, status.

        A pair of regions is called ``A × B``. Where a target or a region is absent, value and error are ``None``.
        """
        return [row for t in range(len(self.targets)) for row in self._of_target(t)]

    def _of_target(self, t: int) -> Iterator[Row]:
        statistics = (
            ("shapley", self.shapley, self.shapley_error),
            ("occlusion", self.occlusion, None),
            ("alone", self.alone, None),
        )
        for name, values, errors in statistics:
            if values is None:
                continue
            for r, region in enumerate(self.regions):
                error = 0.0 if errors is None else float(errors[t, r])
                yield self._row(t, region, name, float(values[t, r]), error)
        if self.interaction is not None and self.interaction_error is not None:
            for i, j in zip(
                *torch.triu_indices(len(self.regions), len(self.regions), 1).tolist(), strict=True
            ):
                pair = f"{self.regions[i]}{JOINER}{self.regions[j]}"
                found, off = float(self.interaction[t, i, j]), float(self.interaction_error[t, i, j])
                yield self._row(t, pair, "interaction", found, off)

    def _row(self, t: int, region: str, statistic: str, value: float, error: float) -> Row:
        return long_row(
            self.case,
            self.model,
            self.baseline,
            self.targets[t],
            self.partition,
            region,
            statistic,
            value,
            error,
        )


def long_row(
    case: str,
    model: str,
    baseline: str,
    target: str,
    partition: str,
    region: str,
    statistic: str,
    value: float,
    error: float,
) -> Row:
    """One row of the long table; NaN is what is absent."""
    absent = value != value  # noqa: PLR0124
    return {
        "case": case,
        "model": model,
        "method": f"game({baseline})",
        "target": target,
        "partition": partition,
        "region": region,
        "statistic": statistic,
        "value": None if absent else value,
        "error": None if absent else error,
        "status": "absent" if absent else "ok",
    }
