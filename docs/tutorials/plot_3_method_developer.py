"""
For the method developer: your method, your metric
==================================================

You have an idea for a map. voxplain gives it windows, batches, targets, the way back to the scan's grid,
counting, and a bench with nulls. You write the formula, and declare what it needs and claims.
"""

# %%
# 1. A method
# -----------
#
# The formula of this page: ``(x − m) ⊙ ∂F/∂x``, the gradient times the distance from each channel's mean m. A
# method is a frozen dataclass; its fields are its parameters, its class attributes its declarations. The
# catalogue, the command line and the refusals are read from them.

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import nn

import voxplain as vx
from voxplain.attribution import Result, Streamed
from voxplain.engine import Passes, Problem, clean
from voxplain.metric import Candidate, Figure
from voxplain.phantom import vessels


@dataclass(frozen=True)
class FromMean(vx.Method):
    """(x − m) ⊙ ∂F/∂x, m the mean of each channel: what first order says of the way from a flat image.

    Attributes:
        share: of the distance that is counted, 1 for all of it.
    """

    share: float = 1.0

    score_count: ClassVar[int] = 2  # it asks for the score of the image and of the flat one
    name: ClassVar[str] = "from_mean"
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Gradient × distance from the mean"
    source: ClassVar[str] = "this page, 2026"
    needs: ClassVar[tuple[str, ...]] = ("gradients",)
    reads: ClassVar[str] = (
        "positive: this voxel's distance from the mean speaks for the score, to first order"
    )
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap",)

    def streamed(self, problem: Problem) -> Streamed:
        """A factor times one gradient: so tables over regions can be made without keeping the map."""
        distance = self.share * (problem.image - self._flat(problem))
        return Streamed(lambda p: clean(p.padded), self.name, times=distance)

    def compute(self, problem: Problem) -> Result:
        """The maps, and by how much their sums miss what they claim to share out."""
        found = self.streamed(problem).maps(problem)
        ends = torch.stack([problem.clean_scores(), problem.scores([self._flat(problem)])[0]])
        checks = {}
        for t in problem.present:
            claimed, total = float(found.maps[t].sum()), float(ends[0, t] - ends[1, t])
            checks[t] = {"completeness_gap": abs(claimed - total) / max(abs(total), 1e-12)}
        return Result(found.maps, ends[0], "score", checks)

    @staticmethod
    def _flat(problem: Problem) -> torch.Tensor:
        axes = tuple(range(1, problem.image.ndim))
        return problem.image.mean(axes, keepdim=True).expand_as(problem.image)


# %%
# 2. Against a closed form
# ------------------------
#
# Of a linear network everything is known: the score is ``w · x + b``, so the map must be ``w ⊙ (x − m)``, and
# it must add up to the score's difference exactly.


class Linear(nn.Module):
    """w · x + b of an image, as two logits: b, and the sum."""

    def __init__(self, weights: torch.Tensor) -> None:
        """Keep the weights (1, *spatial)."""
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 1, *spatial) -> (N, 2)."""
        total = (x * self.weights).flatten(1).sum(1)
        return torch.stack([0 * total + 0.5, total + 0.5], 1)


generator = torch.Generator().manual_seed(0)
weights = torch.randn(1, 16, 16, generator=generator)
case = vx.Case("noise", torch.randn(1, 16, 16, generator=generator).numpy())
linear = vx.Model(
    Linear(weights), spatial_dims=2, task="classification", output="softmax", classes=("no", "yes")
)
problem = vx.Problem(linear, case, ["yes"])

attribution = FromMean().attribute(problem)
truth = weights.numpy() * (case.image - case.image.mean())
np.testing.assert_allclose(attribution.map("yes"), truth, rtol=1e-4, atol=1e-5)
gap = attribution.answers[0].checks["completeness_gap"]
print(f"completeness gap on a linear network: {gap:.1e}")
assert gap < 1e-4

# %%
# A test that cannot fail tests nothing. Half of the distance must miss half of the score:

half = FromMean(share=0.5).attribute(problem).answers[0].checks["completeness_gap"]
print(f"with half of the distance: {half:.2f}")
assert abs(half - 0.5) < 1e-3

# %%
# 3. Against axioms, over windows
# -------------------------------
#
# A network that slides over the image is one function, and so is its map. The engine sums the windows'
# gradients, so a method that is a formula of the gradient is right over windows, too. Here: whole image and
# windows with overlap give the same map, for a convolution that is the same everywhere inside.


def convolution() -> nn.Module:
    """One 1 × 1 convolution: windows see all that it sees."""
    torch.manual_seed(1)
    return nn.Conv2d(1, 2, 1)


whole = vx.Model(convolution(), spatial_dims=2, task="segmentation", output="softmax", classes=("a", "b"))
slid = vx.Model(
    convolution(), spatial_dims=2, task="segmentation", output="softmax", classes=("a", "b"),
    windows=vx.Windows(roi=8, overlap=0.5),
)  # fmt: skip
maps = [FromMean().attribute(vx.Problem(m, case, ["all+background"])).map(0) for m in (whole, slid)]
np.testing.assert_allclose(maps[0], maps[1], rtol=1e-4, atol=1e-6)
print("whole image and windows agree")

# %%
# 4. A metric
# -----------
#
# A metric judges all maps at once, the nulls included. It declares which way is better, what it needs, and
# which nulls stand beside it. This one asks for the least: does the score fall when the map's favourites go?


@dataclass(frozen=True)
class TopDrop(vx.Metric):
    """How far the score falls when a map's largest share of voxels is set to the mean, per unit of its fall when all is.

    Attributes:
        share: of the voxels that go.
    """

    share: float = 0.1

    name: ClassVar[str] = "top_drop"
    family: ClassVar[str] = "faithfulness"
    title: ClassVar[str] = "Drop of the top"
    source: ClassVar[str] = "this page, 2026"
    reads: ClassVar[str] = "1: the map's favourites carry all of the score's difference; 0: none of it"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    span: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def compute(self, problem: Problem, candidates: Sequence[Candidate]) -> dict[tuple[int, int], Figure]:
        """One changed image per map and target, and the flat one."""
        flat = FromMean._flat(problem)
        clean_scores, (all_gone,) = problem.clean_scores(), problem.scores([flat])
        figures = {}
        for place, candidate in enumerate(candidates):
            for t in sorted(candidate.targets):
                size = candidate.values(t).abs().sum(0)
                bar = size.flatten().quantile(1 - self.share)
                (score,) = problem.scores([torch.where(size > bar, flat, problem.image)])
                fall = float(clean_scores[t] - all_gone[t])
                figures[place, t] = Figure(float(clean_scores[t] - score[t]) / fall)
        return figures

    def cost(self, problem: Problem, candidates: Sequence[Candidate]) -> Passes:
        """Forward passes, which are told before anything runs."""
        return problem.cost(scores=2 + sum(len(c.targets) for c in candidates))


# %%
# 5. The bench
# ------------
#
# A small network, trained for a moment, and the new method beside known ones, under the new metric beside a
# known one.

people = [vessels((48, 48), seed=n) for n in range(8)]
images = torch.stack([torch.from_numpy((c.image - c.image.mean()) / c.image.std()) for c in people])
labels = torch.stack([torch.from_numpy(c.label[None]).float() for c in people])
torch.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1)
)
optimiser = torch.optim.Adam(network.parameters(), 0.01)
for _ in range(120):
    loss = nn.functional.binary_cross_entropy_with_logits(network(images), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()

model = vx.Model(
    network.eval(), spatial_dims=2, task="segmentation", output="binary", classes=("background", "vessel"),
    prepare=vx.Preparation(scale="zscore"),
)  # fmt: skip
problem = vx.Problem(model, vessels((48, 48), seed=99), ["vessel"])
attributions = [
    method.attribute(problem) for method in (FromMean(), vx.Gradient(), vx.IntegratedGradients(nodes=8))
]
found = vx.evaluate(problem, attributions, [TopDrop(), "deletion"])
for row in found.rows():
    nulls = ", ".join(
        f"{k.removeprefix('null_')} {v:.2f}"
        for k, v in row.items()
        if k in ("null_zero", "null_random", "null_edges")
    )
    print(f"{row['metric']:10}{row['method']:22}{row['value']:+.2f}   nulls: {nulls}   {row['note']}")
told = {row["method"]: row["note"] for row in found.rows() if row["metric"] == "top_drop"}
assert told["from_mean"]
assert not told["integrated_gradients"]

# %%
# Read the nulls first. Removing a tenth of the voxels at random costs a fifth of the score here, and the new
# method's favourites cost hardly more: the bench says that it cannot tell them apart. Integrated gradients it
# can. So the new method is right (it is what it says, exactly) and not good: first order is not enough for
# this network. Without the nulls, +0.28 would have looked like something.
#
# 6. Into the catalogue
# ---------------------
#
# - In a package of your own: an entry point ``voxplain.methods``, whose name is the method's. Then ``voxplain
#   methods``, the command line and studies know it.
# - In voxplain itself: the decorator ``register``, a card under ``docs/methods`` and a row of the matrix;
#   tests hold the declarations to what the method does on every network of the zoo.
