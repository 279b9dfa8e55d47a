"""Asking a trained simulator what the classifier looks for in an image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from voxplain.counterfactual import Calibrated, CounterfactualPath, calibrate
from voxplain.counterfactual.classifier.decision import Decision
from voxplain.counterfactual.path import Fact
from voxplain.errors import InputError
from voxplain.simulator.change import Change
from voxplain.simulator.field import folded_percentage, inverse_error, jacobian, log_jacobian
from voxplain.simulator.networks import Simulator
from voxplain.simulator.training import Typical

Target = float | Literal["typical", "boundary", "shift"]

_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)  # of the calibrated dose, at which frames are shown
_FOLDED = "the map folds space in {share:.3g} % of the voxels, so it has no volumes; use a velocity field or a smaller dose"


@dataclass(frozen=True, eq=False)
class Explainer:
    """A simulator with the classifier that it was trained for.

    Args:
        simulator: trained.
        decision: the classifier.
        typical: its typical logits, as training found them.
        limit: the largest dose that is tried; 1 is about the distance of the classes.
    """

    simulator: Simulator
    decision: Decision
    typical: Typical
    limit: float = 3.0

    def explain(self, x: Tensor, target: Target = "typical") -> CounterfactualPath:
        """The image on its way to the other decision, at the smallest dose that gets there.

        Args:
            x: one image (C, *S), prepared as for the classifier.
            target: a logit; ``"typical"``, that of the other class's typical subject; ``"boundary"``, 0; or ``"shift"``,
                this image's own, moved by the distance of the classes: what typical disease does to it.

        Returns:
            frames, doses and logits, besides the maps at the calibrated dose, on the image's own grid: ``log_jacobian``,
            ``jacobian`` and ``motion`` (D, *S, voxels) of the forward map, ``warp`` (D, *S, voxels) that the image is looked
            up with, ``difference`` (C, *S), and ``brightness`` (C, *S) where there is one. Where the map folds space, the
            first three are withheld.

        Raises:
            InputError: an image of another shape, a target that cannot be.
        """
        with _asking(self.simulator), torch.no_grad():
            before = self.decision(x[None])
            direction = -torch.sign(before)
            wanted = self._wanted(before, direction, target)
            change = self.simulator(x[None], direction)
            found = self.calibrated(x[None], change, wanted)
            doses = found.dose * torch.tensor(_SHARES, device=x.device)
            frames = torch.cat([change(x[None], float(dose)) for dose in doses])
            frames[0] = x  # not even rounded
            return _path(self.decision, change, x, frames, doses, wanted, found)

    def calibrated(self, x: Tensor, change: Change, target: Tensor) -> Calibrated:
        """The smallest doses with which a change brings images (N, C, *S) to target logits (N,)."""
        with torch.no_grad():
            return calibrate(lambda dose: self.decision(change(x, dose)), target, limit=self.limit)

    def targets(self, before: Tensor, target: Target = "typical") -> Tensor:
        """(N,) the logits that images with these logits (N,) are to reach; see `explain`."""
        return self._wanted(before, -torch.sign(before), target)

    def _wanted(self, before: Tensor, direction: Tensor, target: Target) -> Tensor:
        if isinstance(target, (int, float)) and not isinstance(target, bool):
            return torch.full_like(before, float(target))
        if target == "typical":
            ends = [torch.full_like(before, self.typical.of(sign)) for sign in (1.0, -1.0)]
            return torch.where(direction > 0, ends[0], ends[1])
        if target == "boundary":
            return torch.zeros_like(before)
        if target == "shift":
            return before + direction * self.typical.gap
        raise InputError(f"target: found {target!r}, expected typical, boundary, shift or a logit")


def _path(
    decision: Decision,
    change: Change,
    x: Tensor,
    frames: Tensor,
    doses: Tensor,
    target: Tensor,
    found: Calibrated,
) -> CounterfactualPath:
    dose = float(found.dose)
    pull, push = change.pull(dose), change.push(dose)
    determinant = jacobian(push)
    # folds are told by the map that the image is warped with: where that folds, the forward map is not defined
    folded = float(torch.maximum(folded_percentage(jacobian(pull)), folded_percentage(determinant)))
    volumes = {
        "jacobian": determinant[0, 0],
        "log_jacobian": log_jacobian(determinant)[0, 0],
        "motion": push[0],
    }
    reason = _FOLDED.format(share=folded)
    maps = {"warp": pull[0], "difference": frames[_SHARES.index(1.0)] - x, **({} if folded else volumes)}
    scores = decision(frames)
    diagnostics: dict[str, Fact] = {
        "logit before": float(scores[0]), "logit after": float(scores[_SHARES.index(1.0)]), "dose": dose,
        "reached": bool(found.reached), "monotone": bool(found.monotone), "folded (%)": folded,
        "inverse error (voxels)": float(inverse_error(push, pull).mean()),
    }  # fmt: skip
    if change.brightness is not None:
        maps["brightness"] = dose * change.brightness[0]
        diagnostics["share of motion in the logit"] = _share_of_motion(decision, change, x[None], dose)
    return CounterfactualPath(
        frames, doses, scores, float(target), dose, bool(found.reached), bool(found.monotone), maps, diagnostics,
        dict.fromkeys(volumes, reason) if folded else {},
    )  # fmt: skip


def _share_of_motion(decision: Decision, change: Change, x: Tensor, dose: float) -> float:
    """How much of the change of the logit the motion carries; the brightness carries the rest.

    Both are players of a game of two, and each gets its mean effect over the two orders (Shapley).
    """
    moved, brighter = type(change)(change.field), type(change)(0 * change.field, change.brightness)
    none, motion, brightness, both = (
        float(decision(image)) for image in (x, moved(x, dose), brighter(x, dose), change(x, dose))
    )
    if both == none:
        return float("nan")
    return ((motion - none) + (both - brightness)) / 2 / (both - none)


@contextmanager
def _asking(simulator: Simulator) -> Iterator[None]:
    """Evaluation mode, and the mode that it was in afterwards."""
    mode = simulator.training
    simulator.eval()
    try:
        yield
    finally:
        simulator.train(mode)
