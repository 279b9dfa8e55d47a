"""What counterfactuals of the phantoms are worth, judged by the images of the same subjects with the other state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from counterfactual_cohort import Asked
from torch import Tensor

from voxplain.counterfactual.direction import Direction
from voxplain.counterfactual.direction.queries import Scorer
from voxplain.counterfactual.explain import LatentExplainer
from voxplain.counterfactual.path import CounterfactualPath
from voxplain.counterfactual.running.nulls import nulls_of

_NEAR = 0.1  # of its largest change: where the true effect is above, the disease is


def explained(
    explainer: LatentExplainer, who: Asked, target: float, nulls: Sequence[Direction]
) -> tuple[Tensor, dict[str, float]]:
    """The changes (N, 1, *S) at the calibrated doses, and how often the decision changes."""
    changes, rows = [], []
    for x in who.images:
        path = explainer.explain(x, target)
        last = _at_dose(path)
        changes.append(path.frames[last] - path.frames[0])
        null = nulls_of(
            explainer.generator, explainer.scorer, nulls, x, dose=path.dose, sign=who.sign, limit=explainer.limit,
            reinject=explainer.reinject,
        )  # fmt: skip
        flipped = float(path.scores[0] > 0) != float(path.scores[last] > 0)
        rows.append((flipped, null.alike, bool(path.withheld), path.dose))
    means = np.asarray(rows, dtype=float).mean(0)
    names = ("flipped", "random flips", "withheld", "dose")
    return torch.stack(changes), dict(zip(names, map(float, means), strict=True))


def judged(changes: Tensor, effect: Tensor, *, signed: bool = True) -> dict[str, float]:
    """How well maps (N, 1, *S) agree with the true effect, over all of the image.

    Args:
        changes: explanations.
        effect: the truth.
        signed: whether the maps claim which way brightness changes; otherwise nothing is said of signs and sizes.
    """
    sizes, true = changes.abs(), effect.abs()
    inside = true > _NEAR * true.flatten(1).amax(1).reshape(-1, 1, 1, 1)
    share = (sizes * inside).flatten(1).sum(1) / sizes.flatten(1).sum(1).clamp_min(1e-12)
    found = {
        "group r of size": correlation(sizes.mean(0), true.mean(0)),
        "own r of size": _mean(map(correlation, sizes, true)),
        "inside": float(share.mean()),
        "by chance": float(inside.float().mean()),
    }
    if signed:
        found |= {
            "group r": correlation(changes.mean(0), effect.mean(0)),
            "own r": _mean(map(correlation, changes, effect)),
            "error": float((changes - effect).abs().mean() / true.mean()),
        }
    return found


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's, 0 where a map is constant."""
    if not (a.std() > 0 and b.std() > 0):
        return 0.0
    return float(np.corrcoef(a.flatten().numpy(), b.flatten().numpy())[0, 1])


def decided(scorer: Scorer, images: Tensor) -> Tensor:
    """(N,) logits."""
    with torch.no_grad():
        return scorer(images)


def _at_dose(path: CounterfactualPath) -> int:
    return int(np.flatnonzero(np.isclose(path.doses, path.dose))[-1])


def _mean(values: map[float]) -> float:
    return float(np.mean(list(values)))
