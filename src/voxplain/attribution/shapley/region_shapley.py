"""What Shapley methods of image regions share: the regions, the baseline, the map and its checks."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch

from voxplain.attribution.baseline import Baseline, check_baseline, parse_baseline
from voxplain.attribution.doubt import doubt
from voxplain.attribution.gap import relative_gap
from voxplain.attribution.method import Result
from voxplain.attribution.parts import ByParts
from voxplain.attribution.shapley.values import Shares, agreement, is_rounding
from voxplain.engine import Passes, Problem
from voxplain.engine.game import Game
from voxplain.errors import InputError

# Shares of the same regions should agree better than drawn maps (see `doubt`) before they are trusted.
DOUBTFUL = 0.8


@dataclass(frozen=True)
class RegionShapley(ByParts):
    """F(x) − F(baseline) shared out among parts of the image as the players of a game.

    Parts are 64 supervoxels unless ``size``, ``supervoxels`` or ``regions`` says otherwise (see `ByParts`); what lies
    in no region stays as it is in the image.

    Args:
        baseline: what stands where a part is absent, as in integrated gradients.
    """

    baseline: Baseline | float | str | None = None

    family: ClassVar[str] = "shapley"
    needs: ClassVar[tuple[str, ...]] = ("regions", "baseline")
    random: ClassVar[bool] = True
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap", "agreement")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_baseline(self.baseline)
        if self.size is not None and (self.supervoxels is not None or self.regions is not None):
            other = "regions" if self.supervoxels is None else "supervoxels"
            raise InputError(f"{self.name}: found both size and {other}; give one of them")

    @abstractmethod
    def shares(self, problem: Problem, game: Game) -> Shares:
        """The method's values of the game's players."""

    @abstractmethod
    def game_cost(self, problem: Problem, game: Game) -> Passes:
        """Passes that `shares` will take."""

    def compute(self, problem: Problem) -> Result:
        parts = self.parts(problem)
        baseline = parse_baseline(self.baseline, problem)
        shares = self.shares(problem, self._game(problem, baseline))
        maps = self._painted(problem, parts, shares.values)
        voxels = torch.tensor([part.count for part in parts])
        checks: dict[int, dict[str, float]] = {}
        floor, notes = {}, {}
        for t in problem.present:
            difference = float(shares.full[t]) - float(shares.empty[t])
            checks[t] = {"completeness_gap": relative_gap(float(shares.values[t].sum()), difference)}
            notes[t] = f"{len(parts)} regions, baseline {type(baseline).__name__.lower()}"
            if shares.exact:
                notes[t] += ", exact"
            if shares.halves is not None:
                even, odd = shares.halves
                checks[t]["agreement"] = agreement(even[t], odd[t], voxels)
                notes[t] += doubt(checks[t]["agreement"], DOUBTFUL, self._more())
            floor[t] = float(maps[t].abs().max()) if is_rounding(problem, t, shares) else 0.0
        return Result(
            maps=maps,
            scores=shares.full,
            unit=self._unit("score"),
            checks=checks,
            notes=notes,
            region_values=shares.values,
            regions=parts,
            floor=floor,
            voxel_power=self._power,
        )

    def cost(self, problem: Problem) -> Passes:
        return self.game_cost(problem, self._game(problem, parse_baseline(self.baseline, problem)))

    def _more(self) -> str:
        return "ask for more draws or fewer regions"
