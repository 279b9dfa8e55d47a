"""Simulators and saliency maps judged by the same truth: how much space grows where, in what the classifier uses.

    python benchmarks/simulator_saliency.py                  # 2-D, 32 × 32
    python benchmarks/simulator_saliency.py --dims 3         # 24 × 24 × 24
    python benchmarks/simulator_saliency.py --only left      # one classifier

Test subjects, classifiers and truth are those of `benchmarks/simulator.py`. A saliency map is of the logit in the same
direction. It has no volumes to compare with, so what can be asked of all is where they look; signs are told beside it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.ndimage import gaussian_filter
from simulator_cohort import CLASSES, Cohort, add_cohort, cnn, make_cohort, rule, sides_of, sized, told
from simulator_scores import Asked, asked, correlation

from voxplain.attribution import (
    Gradient,
    HiResCam,
    InputXGradient,
    IntegratedGradients,
    Method,
    Occlusion,
    SmoothGrad,
)
from voxplain.counterfactual.classifier import Decision
from voxplain.inherent.data import Sample
from voxplain.inherent.posthoc import maps_by
from voxplain.phantom.disease import DISEASE_CLASSES, SIDES
from voxplain.simulator.explain import Explainer
from voxplain.simulator.field import jacobian, log_jacobian
from voxplain.simulator.networks import VelocitySimulator
from voxplain.simulator.training import SimulatorTraining, train_simulator

CLASSIFIERS = ("left", "right", "both", "CNN")
Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
COLUMNS = ("r of size", "smoothed", "own r", "in used", "in unused", "signed r", "sign, left", "sign, right")
SMOOTH = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)  # voxels; each method is judged at the width that suits it best, too
_NEAR = 0.1  # of its largest value: where the true log-Jacobian is above, the disease is


@dataclass(frozen=True)
class Truth:
    """What a classifier should be seen to use, in one direction.

    Attributes:
        growth: (N, *S) true log-Jacobian of the part of the disease that it uses.
        where: by side, (N, *S) where that side's part of the disease changes volumes.
        structure: by side, (N, *S) the structure itself.
        sides: that the classifier uses.
        body: (*S) where maps are judged.
    """

    growth: Numbers
    where: dict[str, Mask]
    structure: dict[str, Mask]
    sides: tuple[str, ...]
    body: Mask


def truth_of(who: Asked, name: str) -> Truth:
    """Of the test subjects in one direction, as a classifier of this name uses them."""
    labels, sides = who.labels().numpy(), sides_of(name)
    where = {}
    for side in SIDES:
        size = np.abs(who.truth((side,)).numpy())
        where[side] = np.stack([s > _NEAR * s.max() for s in size])
    structure = {side: labels == DISEASE_CLASSES.index(name) for side, name in SIDES.items()}
    growth = who.truth(sides).double().numpy()
    return Truth(growth, where, structure, sides, (labels > 0).mean(0) > 0.5)


def saliency(method: Method, decision: Decision, who: Asked) -> Numbers:
    """(N, *S) a method's maps of the logit in the direction that is asked about."""
    samples = [Sample(str(i), image.numpy(), 0, str(i)) for i, image in enumerate(who.images)]
    found = maps_by(method, decision.classifier, samples, CLASSES, healthy=None).evidence
    return who.sign * np.stack([each[1] - each[0] for each in found]).astype(np.float64)


def simulated(explainer: Explainer, who: Asked) -> Numbers:
    """(N, *S) the simulator's log-Jacobians at the calibrated dose."""
    with torch.no_grad():
        change = explainer.simulator(who.images, who.sign)
        found = explainer.calibrated(who.images, change, explainer.targets(explainer.decision(who.images)))
        return log_jacobian(jacobian(change.push(found.dose)))[:, 0].double().numpy()


def judged(maps: Numbers, truth: Truth) -> dict[str, float]:
    """How well maps (N, *S) show where, and in which sense."""
    sizes = np.abs(maps) * truth.body
    smooth = max(_of_size(np.stack([gaussian_filter(m, s) for m in sizes]), truth) for s in SMOOTH)
    others = [side for side in SIDES if side not in truth.sides]
    return {
        "r of size": _of_size(sizes, truth),
        "smoothed": smooth,
        "own r": float(
            np.mean([_r(m, np.abs(t), truth.body) for m, t in zip(sizes, truth.growth, strict=True)])
        ),
        "in used": _share(sizes, truth, truth.sides),
        "in unused": _share(sizes, truth, others) if others else float("nan"),
        "signed r": _r(maps.mean(0), truth.growth.mean(0), truth.body),
        **{f"sign, {s}": _right(maps, truth, s) if s in truth.sides else float("nan") for s in SIDES},
    }


def _of_size(sizes: Numbers, truth: Truth) -> float:
    """Correlation of the group's mean size with that of the truth."""
    return _r(sizes.mean(0), np.abs(truth.growth.mean(0)), truth.body)


def _share(sizes: Numbers, truth: Truth, sides: Sequence[str]) -> float:
    """Of a map's size in the body, how much lies where these sides' disease is; the mean over subjects."""
    inside = sum(sizes * truth.where[side] for side in sides)
    totals = [np.asarray(values).reshape(len(sizes), -1).sum(1) for values in (inside, sizes)]
    return float((totals[0] / np.maximum(totals[1], np.finfo(np.float64).tiny)).mean())


def _right(maps: Numbers, truth: Truth, side: str) -> float:
    """Share of subjects whose map has, over a structure, the sign of its change of volume."""
    pairs = zip(maps, truth.growth, truth.structure[side], strict=True)
    return float(np.mean([m[k].mean() * t[k].mean() > 0 for m, t, k in pairs]))


def _r(a: Numbers, b: Numbers, where: Mask) -> float:
    return correlation(torch.from_numpy(a[where]), torch.from_numpy(b[where]))


def methods(name: str, dims: int) -> dict[str, Method]:
    """What is compared; the analytic rules have no layers. In a volume, cubes at every voxel would be too many."""
    found: dict[str, Method] = {
        "gradient": Gradient(), "input × gradient": InputXGradient(), "integrated gradients": IntegratedGradients(),
        "SmoothGrad": SmoothGrad(), "occlusion, 3 voxels": Occlusion(size=3, stride=dims - 1),
        "occlusion, 6 voxels": Occlusion(size=6, stride=dims),
    }  # fmt: skip
    return {**found, "HiResCAM": HiResCam()} if name == "CNN" else found


def decided(name: str, cohort: Cohort, seed: int, out: Path) -> Decision:
    """The classifier of this name."""
    return cnn(cohort, seed, out / "cnn") if name == "CNN" else rule(cohort, name)


def trained(decision: Decision, cohort: Cohort, chosen: argparse.Namespace, out: Path) -> Explainer:
    """A simulator with the defaults."""
    torch.manual_seed(chosen.seed)
    settings = SimulatorTraining(
        epochs=chosen.epochs, batch=chosen.batch, seed=chosen.seed, device="cpu", progress=False
    )
    made = VelocitySimulator(spatial_dims=chosen.dims)
    found = train_simulator(made, decision, cohort.samples, cohort.split, settings, out)
    return Explainer(found.simulator, decision, found.typical)


Row = tuple[str, str, str, dict[str, float]]


def measured(chosen: argparse.Namespace) -> Iterator[Row]:
    """Classifier, direction, method and its figures."""
    cohort = make_cohort(*told(chosen))
    with tempfile.TemporaryDirectory() as folder:
        for name in CLASSIFIERS:
            if chosen.only not in name:
                continue
            decision = decided(name, cohort, chosen.seed, Path(folder))
            explainer = trained(decision, cohort, chosen, Path(folder) / name)
            for towards in ("disease", "healthy"):
                who = asked(cohort, explainer, towards)
                truth = truth_of(who, name)
                yield name, towards, "simulator", judged(simulated(explainer, who), truth)
                for method, made in methods(name, chosen.dims).items():
                    yield name, towards, method, judged(saliency(made, decision, who), truth)
                print(f"{name}, towards {towards}: done", flush=True)


def table(rows: Sequence[Row]) -> Table:
    """Means over both directions."""
    shown = Table("explained", "method", *COLUMNS)
    for name, method in dict.fromkeys((row[0], row[2]) for row in rows):
        both = [row[3] for row in rows if (row[0], row[2]) == (name, method)]
        means = [float(np.mean([figures[column] for figures in both])) for column in COLUMNS]
        shown.add_row(name, method, *("–" if np.isnan(m) else f"{m:.2f}" for m in means))
    return shown


def main() -> None:
    """Train, judge and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_cohort(parser)
    parser.add_argument("--only", default="", help="classifiers whose name holds this text")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = sized(parser.parse_args())
    torch.set_num_threads(chosen.threads)
    start, cpu = time.perf_counter(), time.process_time()
    Console(width=160).print(table(list(measured(chosen))))
    print(f"{time.perf_counter() - start:.0f} s, {time.process_time() - cpu:.0f} CPU-seconds")


if __name__ == "__main__":
    main()
