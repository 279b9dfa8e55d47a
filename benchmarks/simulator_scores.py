"""What maps of the disease phantom are worth, judged by the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from simulator_cohort import Cohort, sides_of
from torch import Tensor

from voxplain.phantom.disease import DISEASE_CLASSES, SIDES, CornerMark, DiseasedSubject
from voxplain.simulator.change import Change
from voxplain.simulator.explain import Explainer
from voxplain.simulator.field import folded_percentage, jacobian, log_jacobian


@dataclass(frozen=True, eq=False)
class Asked:
    """Test subjects whom the classifier sees rightly, in one direction.

    Attributes:
        towards: "disease" or "healthy".
        pairs: the subjects.
        images: (N, 1, *S) where they start.
    """

    towards: str
    pairs: tuple[DiseasedSubject, ...]
    images: Tensor

    @property
    def sign(self) -> float:
        """+1 towards the disease."""
        return 1.0 if self.towards == "disease" else -1.0

    def labels(self) -> Tensor:
        """(N, *S) of the images where they start."""
        cases = [p.healthy if self.sign > 0 else p.diseased for p in self.pairs]
        return torch.from_numpy(np.stack([c.label for c in cases]))

    def truth(self, sides: Sequence[str]) -> Tensor:
        """(N, *S) log-Jacobian of the part of the disease on these sides."""
        return torch.from_numpy(np.stack([p.truth(self.towards, sides)[1] for p in self.pairs]))

    def pictures(self, *, noisy: bool) -> tuple[Tensor, Tensor]:
        """(N, 1, *S) each: where the subjects start and where the disease would take them."""
        if noisy:
            both = [(p.healthy.image, p.diseased.image) for p in self.pairs]
        else:
            both = [(p.noise_free[0][None], p.noise_free[1][None]) for p in self.pairs]
        ends = [torch.from_numpy(np.stack(each)) for each in zip(*both, strict=True)]
        return (ends[0], ends[1]) if self.sign > 0 else (ends[1], ends[0])


def asked(cohort: Cohort, explainer: Explainer, towards: str) -> Asked:
    """The test subjects on one side, without those whom the classifier gets wrong."""
    cases = [p.healthy if towards == "disease" else p.diseased for p in cohort.test]
    images = torch.from_numpy(np.stack([c.image for c in cases]))
    with torch.no_grad():
        logits = explainer.decision(images)
    right = torch.nonzero((logits > 0) == (towards == "healthy"))[:, 0].tolist()
    return Asked(towards, tuple(cohort.test[i] for i in right), images[right])


def score(
    explainer: Explainer, who: Asked, name: str, mark: CornerMark | None = None
) -> tuple[dict[str, float], Tensor]:
    """Figures of one simulator in one direction, and its group map (*S).

    Args:
        explainer: the simulator with what it explains.
        who: test subjects.
        name: of the classifier, which says what it uses.
        mark: that was planted.
    """
    x, sides = who.images, sides_of(name)
    with torch.no_grad():
        before = explainer.decision(x)
        target = explainer.targets(before)
        change = explainer.simulator(x, who.sign)
        found = explainer.calibrated(x, change, target)
        changed = change(x, found.dose)
        after = explainer.decision(changed)
        determinant = jacobian(change.push(found.dose))
        folded = torch.maximum(
            folded_percentage(determinant), folded_percentage(jacobian(change.pull(found.dose)))
        )
    maps = log_jacobian(determinant)[:, 0]
    labels, truth = who.labels(), who.truth(sides)
    body = (labels > 0).float().mean(0) > 0.5
    used, unused = _regions(maps, labels, sides), _regions(maps, labels, [s for s in SIDES if s not in sides])
    wanted = _regions(who.truth(tuple(SIDES)), labels, sides)
    figures = {
        "subjects": float(len(x)),
        "flipped": _mean((after * before < 0).float()),
        "reached": _mean(found.reached.float()),
        "monotone": _mean(found.monotone.float()),
        "dose": float(found.dose.median()),
        "sign": min(
            _mean((u[0] * w[0] > 0).float()) for u, w in zip(used.values(), wanted.values(), strict=True)
        ),
        "unused": float("nan"),
        "group r": correlation(maps.mean(0)[body], truth.mean(0)[body]),
        "own r": float(np.mean([correlation(m[body], t[body]) for m, t in zip(maps, truth, strict=True)])),
        "folded": float(folded.max()),
        "corner": _mean(_in_corner(explainer, x, changed)),
        "motion": float("nan"),
        "mark": float("nan"),
    }
    if mark is not None and who.sign > 0:
        with torch.no_grad():
            planted = torch.maximum(x, mark.brightness * torch.from_numpy(mark.shape(tuple(x.shape[2:]))))
            figures["mark"] = _mean(explainer.decision(planted) - before) / explainer.typical.gap
    if change.brightness is not None:
        figures["motion"] = _mean(_in_motion(explainer, change, x, found.dose))
    if unused:
        strong = np.mean([_mean(absolute) for _, absolute in used.values()])
        figures["unused"] = float(np.mean([_mean(absolute) for _, absolute in unused.values()]) / strong)
    for kind in ("clean", "noisy"):
        start, end = who.pictures(noisy=kind == "noisy")
        with torch.no_grad():
            moved = change(start, found.dose)
        figures[f"{kind} error"] = float((moved - end).abs().mean() / (start - end).abs().mean())
    figures |= {f"log J {s}": _mean(v[0]) for s, v in _regions(maps, labels, list(SIDES)).items()}
    figures |= {
        f"true {s}": _mean(v[0]) for s, v in _regions(who.truth(tuple(SIDES)), labels, list(SIDES)).items()
    }
    return figures, maps.mean(0)


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's, 0 where a map is constant."""
    if not (a.std() > 0 and b.std() > 0):
        return 0.0
    return float(np.corrcoef(a.flatten().numpy(), b.flatten().numpy())[0, 1])


def _in_corner(explainer: Explainer, x: Tensor, changed: Tensor) -> Tensor:
    """(N,) share of the logit's change that the first corner alone makes: a quarter of each edge, put into the image."""
    corner = (..., *(slice(n // 4) for n in x.shape[2:]))
    pasted = x.clone()
    pasted[corner] = changed[corner]
    with torch.no_grad():
        none, there, both = (explainer.decision(image) for image in (x, pasted, changed))
    return (there - none) / (both - none)


def _in_motion(explainer: Explainer, change: Change, x: Tensor, dose: Tensor) -> Tensor:
    """(N,) share of the logit's change that the motion alone makes."""
    with torch.no_grad():
        none, moved, both = (
            explainer.decision(image) for image in (x, type(change)(change.field)(x, dose), change(x, dose))
        )
    return (moved - none) / (both - none)


def _regions(maps: Tensor, labels: Tensor, sides: Sequence[str]) -> dict[str, tuple[Tensor, Tensor]]:
    """Per side: (N,) mean of the map over the structure, and mean of its absolute value."""
    out = {}
    for side in sides:
        mask = (labels == DISEASE_CLASSES.index(SIDES[side])).float().flatten(1)
        count = mask.sum(1)
        out[side] = tuple((values.flatten(1) * mask).sum(1) / count for values in (maps, maps.abs()))
    return out


def _mean(values: Tensor) -> float:
    return float(values.mean())
