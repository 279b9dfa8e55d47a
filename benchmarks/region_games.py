"""Shapley values of predicted segments for all classes: Captum's KernelShap class by class, and voxplain.

(a) For every class, Captum's KernelShap with the predicted segments as features (the protocol of Agg²Exp: 200 samples, one
    perturbation per pass), on the stitched network (MONAI's sliding window inside the forward function).
(b) voxplain: every window's coalitions of the segments that it sees, all classes from one forward; exact.
(c) voxplain again, from drawn orders with a budget of ``budget`` window passes, where that is less than (b) takes.

Value function, windows and baseline are the same. Printed are window passes, seconds, and errors against the exact
values, relative to their largest. Captum is asked ``classes`` of them; its cost is proportional to these, since it
repeats every pass.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from captum.attr import KernelShap as CaptumKernelShap
from common import arguments, case, interleaved, network, report
from monai.inferers import sliding_window_inference

from voxplain.aggregate.games import RegionGame, region_game, region_game_cost
from voxplain.aggregate.partition import Partition, predicted
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses


class Peer:
    """(a) One attribute call per class; counts the windows that it runs."""

    def __init__(self, problem: Problem, partition: Partition, samples: int, baseline: float) -> None:
        self.problem, self.samples, self.baseline = problem, samples, baseline
        self.partition = partition
        # features that are there, from 0 on without gaps, as Captum asks for
        self.present = partition.counts.nonzero()[:, 0]
        self.mask = torch.bucketize(partition.labels.long(), self.present)[None, None]
        self.windows = 0

    def network(self, x: torch.Tensor) -> torch.Tensor:
        """The module, counted."""
        self.windows += len(x)
        return self.problem.model.module(x)

    def values(self, classes: int) -> dict[int, np.ndarray]:
        """{target: (R,)}."""
        windows = self.problem.model.windows
        self.windows = 0
        out = {}
        for t, target in list(enumerate(self.problem.targets))[:classes]:
            mask = self.problem.prediction.labels == target.class_index

            def score(
                x: torch.Tensor, c: int = target.class_index, mask: torch.Tensor = mask
            ) -> torch.Tensor:
                with torch.no_grad():
                    z = sliding_window_inference(
                        x,
                        windows.sizes(self.problem.spatial_shape),
                        4,
                        self.network,
                        windows.overlap,
                        windows.blend,
                    )
                return (z[:, c] * mask).flatten(1).sum(1) / mask.sum()

            torch.manual_seed(t)
            found = CaptumKernelShap(score).attribute(
                self.problem.image[None],
                baselines=self.baseline,
                feature_mask=self.mask,
                n_samples=self.samples,
            )[0, 0]
            values = np.full(len(self.partition.regions), np.nan)
            for r in self.present.tolist():
                values[r] = float(found[self.partition.labels == r][0])
            out[t] = values
        return out


def off(found: dict[int, np.ndarray], exact: RegionGame) -> str:
    """Errors relative to each target's largest exact value: median over targets of the mean and of the largest."""
    assert exact.shapley is not None
    mean, largest = [], []
    for t, values in found.items():
        truth = exact.shapley[t].numpy()
        error = np.abs(values - truth) / np.nanmax(np.abs(truth))
        mean.append(np.nanmean(error))
        largest.append(np.nanmax(error))
    return f"mean {np.median(mean):.1e}, largest {np.median(largest):.1e}"


def main() -> None:
    """Print the ratios."""
    chosen = arguments(
        __doc__,
        net="unet",
        edge=72,
        roi=32,
        overlap=0.25,
        baseline=0.0,
        samples=200,
        repeats=1,
        classes=1,
        budget=0,
        most=10**6,
    )
    warnings.filterwarnings("ignore", message=".*implausible in")
    net, _ = network(chosen.net)
    model = Model(net, windows=Windows(roi=chosen.roi, overlap=chosen.overlap, blend="gaussian"))
    problem = Problem(model, case(chosen.net, chosen.edge), AllClasses(background=True))
    partition, count = predicted(problem), len(problem.present)
    asked = {"baseline": chosen.baseline, "values": ("shapley",)}
    needed = region_game_cost(problem, partition, budget=chosen.most, **asked).forward
    present = int((partition.counts > 0).sum())
    print(
        f"{chosen.net}: {len(problem.plan)} windows of {chosen.roi}³, {count} classes, {present} segments, "
        f"{needed} window passes for all classes"
    )
    if present < 2:
        raise SystemExit("one segment alone has no rivals: choose a larger edge or roi")
    peer = Peer(problem, partition, chosen.samples, chosen.baseline)
    found: dict[str, object] = {}
    runs = {
        "captum": lambda: found.update(captum=peer.values(chosen.classes)),
        "voxplain": lambda: found.update(exact=region_game(problem, partition, budget=chosen.most, **asked)),
    }
    if 0 < chosen.budget < needed:
        runs["drawn"] = lambda: found.update(
            drawn=region_game(problem, partition, budget=chosen.budget, **asked)
        )
    try:
        seconds = interleaved(runs, chosen.repeats)
    except InputError as error:
        raise SystemExit(str(error)) from error
    share = count / chosen.classes
    seconds["captum, all classes"] = [s * share for s in seconds["captum"]]
    report(seconds, [("captum, all classes", "voxplain", "at least 20 fewer passes")])
    exact, passes = found["exact"], peer.windows * share
    print(f"  window passes: captum {passes:.0f}, voxplain {needed}: {passes / needed:.1f} times fewer")
    print(f"  error of captum against exact: {off(found['captum'], exact)}")
    if "drawn" in found:
        drawn = found["drawn"]
        values = {t: drawn.shapley[t].numpy() for t in problem.present}
        beyond = ((drawn.shapley - exact.shapley).abs() > 4 * drawn.shapley_error).double().mean()
        print(
            f"  drawn: {drawn.passes.forward} window passes, error {off(values, exact)}, beyond 4 standard errors "
            f"{float(beyond):.1%}, exact for {int(drawn.exact.sum())} of {count} targets"
        )
    print(f"  exact: largest gap of the sum {float(exact.gap[problem.present].max()):.1e}")


if __name__ == "__main__":
    main()
