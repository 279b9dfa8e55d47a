"""Occlusion of all classes: a Captum loop, voxplain, and the bare forward passes that are needed.

(a) For every class, Captum's Occlusion on the stitched network (MONAI's sliding window inside the forward
    function), at Captum's default of one perturbation per pass.
(b) voxplain: only the windows that a cube touches, all classes from one forward.
(c) the bare passes: those windows, in batches, without gradients.
"""

from __future__ import annotations

import time

import torch
from captum.attr import Occlusion as CaptumOcclusion
from common import arguments, case, interleaved, network, report
from monai.inferers import sliding_window_inference

from voxplain.attribution import Occlusion
from voxplain.engine import Problem
from voxplain.model import Model, Windows
from voxplain.target import AllClasses


def captum_loop(problem: Problem, cube: int, classes: int) -> dict[int, torch.Tensor]:
    """(a) One attribute call per class; every cube is a whole stitched inference."""
    windows = problem.model.windows
    out = {}
    for t, target in list(enumerate(problem.targets))[:classes]:
        mask = problem.prediction.labels == target.class_index

        def score(x: torch.Tensor, c: int = target.class_index, mask: torch.Tensor = mask) -> torch.Tensor:
            with torch.no_grad():
                z = sliding_window_inference(
                    x,
                    windows.sizes(problem.spatial_shape),
                    4,
                    problem.model.module,
                    windows.overlap,
                    windows.blend,
                )
            return (z[:, c] * mask).flatten(1).sum(1) / mask.sum()

        attribution = CaptumOcclusion(score).attribute(
            problem.image[None],
            sliding_window_shapes=(1, cube, cube, cube),
            strides=(1, cube, cube, cube),
            baselines=0,
        )
        out[t] = attribution[0]
    return out


def bare_passes(problem: Problem, passes: int, batch: int) -> None:
    """(c) As many forward passes as voxplain needs, without anything around them."""
    x = problem.padded[(slice(None), *problem.plan.where(0))][None].expand(batch, -1, -1, -1, -1).contiguous()
    with problem.runner.session(), torch.no_grad():
        for start in range(0, passes, batch):
            problem.model.module(x[: min(batch, passes - start)])


def main() -> None:
    """Print the ratios."""
    chosen = arguments(
        __doc__, net="unet", edge=72, roi=32, overlap=0.25, cube=24, repeats=1, bare=8, classes=1
    )
    net, _ = network(chosen.net)
    model = Model(net, windows=Windows(roi=chosen.roi, overlap=chosen.overlap, blend="gaussian"))
    problem = Problem(model, case(chosen.net, chosen.edge), AllClasses(background=True))
    method = Occlusion(size=chosen.cube, baseline=0.0, paint="effect")
    first = time.perf_counter()
    attribution = method.attribute(problem)
    needed = attribution.passes.forward
    count = len(problem.present)
    print(
        f"{chosen.net}: {len(problem.plan)} windows of {chosen.roi}³, {count} classes, {len(attribution.regions)} cubes, "
        f"{needed} window passes for all classes (first run {time.perf_counter() - first:.1f} s)"
    )
    maps: dict[str, object] = {}
    seconds = interleaved(
        {
            "captum": lambda: maps.update(captum=captum_loop(problem, chosen.cube, chosen.classes)),
            "voxplain": lambda: maps.update(voxplain=method.attribute(problem)),
            "bare": lambda: bare_passes(problem, needed, chosen.bare),
        },
        chosen.repeats,
    )
    # Captum's cost is proportional to the classes: it repeats every forward pass for each
    seconds["captum, all classes"] = [s * count / chosen.classes for s in seconds["captum"]]
    report(
        seconds, [("captum, all classes", "voxplain", "at least 10"), ("voxplain", "bare", "1 is the limit")]
    )
    worst = max(
        float((maps["captum"][t] - maps["voxplain"].maps[t]).abs().max() / maps["captum"][t].abs().max())
        for t in maps["captum"]
    )
    print(f"  largest difference of the maps, relative to their maximum: {worst:.1e}")


if __name__ == "__main__":
    main()
