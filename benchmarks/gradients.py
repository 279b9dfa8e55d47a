"""Gradients of all present classes: a Captum loop, voxplain, and the bare passes that are needed.

(a) For every class and every window that holds some of it, Captum's Saliency on the window, as one writes it with
    Captum today; the maps are summed into the volume.
(b) voxplain: one forward per window for all classes, backward passes shared among windows.
(c) the bare passes: one forward per window, and one backward per (window, class), at the best batch.
The clean prediction is given to all three.
"""

from __future__ import annotations

import torch
from captum.attr import Saliency
from common import arguments, case, interleaved, network, report

from voxplain.attribution import Gradient
from voxplain.engine import Problem
from voxplain.model import Model, Windows
from voxplain.target import AllClasses


def captum_loop(problem: Problem) -> dict[int, torch.Tensor]:
    """(a) One attribute call per class and window."""
    maps = {}
    net = problem.model.module
    for t, target in enumerate(problem.targets):
        total = torch.zeros_like(problem.padded)
        for w in problem.plan.windows([t]):
            where = (slice(None), *problem.plan.where(w))
            inside = problem.prediction.labels[where[1:]] == target.class_index
            weight = inside * problem.layout.weight(w) * target.functional.scale

            def score(
                x: torch.Tensor, c: int = target.class_index, weight: torch.Tensor = weight
            ) -> torch.Tensor:
                return (net(x)[:, c] * weight).flatten(1).sum(1)

            total[where] += Saliency(score).attribute(problem.padded[where][None], abs=False)[0]
        maps[t] = total
    return maps


def bare_passes(problem: Problem, batch: int) -> None:
    """(c) The network and nothing else: windows in batches, as many backward passes as (window, class) pairs."""
    runner, plan = problem.runner, problem.plan
    windows = sorted(plan.windows(problem.present), key=lambda w: -len(plan.touching[w]))
    with runner.session():
        for start in range(0, len(windows), batch):
            group = windows[start : start + batch]
            x = torch.stack([problem.padded[(slice(None), *plan.where(w))] for w in group]).requires_grad_()
            z = problem.model.module(x)
            cotangent = torch.ones_like(z)
            rounds = max(len(plan.touching[w]) for w in group)
            for r in range(rounds):
                torch.autograd.grad(z, x, cotangent, retain_graph=r + 1 < rounds)


def main() -> None:
    """Print the ratios."""
    chosen = arguments(__doc__, net="unet", edge=72, roi=48, overlap=0.25, repeats=3, bare=2)
    net, _ = network(chosen.net)
    model = Model(net, windows=Windows(roi=chosen.roi, overlap=chosen.overlap, blend="gaussian"))
    problem = Problem(model, case(chosen.net, chosen.edge), AllClasses(background=True))
    pairs = sum(len(t) for t in problem.plan.touching)
    print(
        f"{chosen.net}: {len(problem.plan)} windows of {chosen.roi}³, {len(problem.present)} classes, {pairs} pairs"
    )
    maps: dict[str, object] = {}
    seconds = interleaved(
        {
            "captum": lambda: maps.update(captum=captum_loop(problem)),
            "voxplain": lambda: maps.update(voxplain=Gradient().attribute(problem)),
            "bare": lambda: bare_passes(problem, chosen.bare),
        },
        chosen.repeats,
    )
    report(seconds, [("captum", "voxplain", "at least 2"), ("voxplain", "bare", "at most 1.25")])
    worst = max(
        float((maps["captum"][t] - maps["voxplain"].maps[t]).abs().max() / maps["captum"][t].abs().max())
        for t in problem.present
    )
    print(
        f"  largest difference of the maps, relative to their maximum: {worst:.1e} (float32; both are exact in double)"
    )


if __name__ == "__main__":
    main()
