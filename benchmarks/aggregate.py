"""Region tables of all classes: time against the bare passes, memory against plain inference, reduction against masks.

(a) ``table``: SmoothGrad of every class, summed over every predicted region, as windows come; no map is kept.
(b) ``bare``: the passes that it needs, and nothing else: every draw of every window forwards, and backwards once per class
    that it holds, at the same batch.
(c) Peak resident memory, each in a process of its own and a window at a time (unless ``--batch`` says otherwise): plain
    sliding-window inference (MONAI's), the table, and the table from whole maps in memory, for the same draws.
(d) The sums of given maps: one pass over each map; a loop over class × region pairs that picks each region's voxels once;
    and the loop as published, which takes the size of all voxels for every pair.

The network is run on the real head, or on a cube of ``--edge`` voxels from its middle.
"""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from resource import RUSAGE_SELF, getrusage

import numpy as np
import torch
from common import arguments, case, interleaved, network, report
from monai.inferers import sliding_window_inference
from torch import nn

from voxplain.aggregate.partition import Partition, predicted
from voxplain.aggregate.shells import Shells
from voxplain.aggregate.tables import region_table, table_of
from voxplain.aggregate.tables.cells import Cells
from voxplain.aggregate.tables.sums import Sums
from voxplain.attribution import SmoothGrad
from voxplain.attribution.peak import resident_bytes
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.model import Model, Windows
from voxplain.target import AllClasses


def made(chosen: Namespace, net: nn.Module | None = None, own: Case | None = None) -> Problem:
    """The questions: every class that the network finds."""
    windows = Windows(roi=chosen.roi, overlap=chosen.overlap, blend="gaussian")
    return Problem(
        Model(net or network(chosen.net)[0], windows=windows),
        own or case(chosen.net, chosen.edge),
        AllClasses(background=True),
        batch=chosen.batch or None,
        memory=1 << 40 if chosen.only == "maps" else chosen.memory << 20,
    )


def bare_passes(problem: Problem, draws: int) -> None:
    """(b) Windows in batches, all draws of each in a row, as many backward passes as the richest of a batch has classes."""
    runner, plan = problem.runner, problem.plan
    windows = sorted(plan.windows(problem.present), key=lambda w: -len(plan.touching[w]))
    items = [w for w in windows for _ in range(draws)]
    with runner.session():
        for start in range(0, len(items), runner.batch):
            group = items[start : start + runner.batch]
            x = torch.stack([problem.padded[(slice(None), *plan.where(w))] for w in group]).requires_grad_()
            z = problem.model.module(x)
            cotangent = torch.ones_like(z)
            rounds = max(len(plan.touching[w]) for w in group)
            for r in range(rounds):
                torch.autograd.grad(z, x, cotangent, retain_graph=r + 1 < rounds)


def measure_time(chosen: Namespace) -> None:
    """(a) and (b)."""
    problem = made(chosen)
    pairs = sum(map(len, problem.plan.touching))
    print(
        f"{chosen.net}: {len(problem.plan)} windows of {chosen.roi}³ over {problem.spatial_shape}, "
        f"{len(problem.present)} of {len(problem.targets)} classes there, {pairs} pairs, {chosen.draws} draws, "
        f"batch {problem.runner.batch}",
        flush=True,
    )
    method, regions = SmoothGrad(draws=chosen.draws), [predicted(problem)]
    seconds = interleaved(
        {
            "table": lambda: region_table(problem, regions, method),
            "table with shells": lambda: region_table(problem, regions, method, shells=Shells()),
            "bare": lambda: bare_passes(problem, chosen.draws),
        },
        chosen.repeats,
    )
    report(
        seconds,
        [("table", "bare", "at most 1.3"), ("table with shells", "bare", "at most 1.3")],
    )


def measure_memory(chosen: Namespace) -> None:
    """(c), inside a process of its own: print megabytes over the start, the peak as the system counts it."""
    if chosen.only == "inference":
        net, _ = network(chosen.net)
        image = torch.from_numpy(case(chosen.net, chosen.edge).image)[None]
        start = resident_bytes()
        with torch.no_grad():
            sliding_window_inference(
                image, (chosen.roi,) * 3, chosen.batch, net, overlap=chosen.overlap, mode="gaussian"
            )
    else:
        net, _ = network(chosen.net)
        own = case(chosen.net, chosen.edge)
        start = resident_bytes()
        problem = made(chosen, net, own)
        method, regions = SmoothGrad(draws=chosen.draws), [predicted(problem)]
        if chosen.only == "maps":
            table_of(method.attribute(problem), regions)
        else:
            region_table(problem, regions, method, groups=chosen.groups)
    peak = getrusage(RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"  {chosen.only:<12} {(peak - start) / 2**20:8.1f} MB over the start, {peak / 2**20:8.1f} MB in all"
    )


def measure_reduction(chosen: Namespace) -> None:
    """(d)."""
    problem = made(chosen)
    regions = predicted(problem)
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(chosen.maps, *problem.image.shape)).astype(np.float32)
    sums = Sums(problem, Cells.of([regions], problem.spatial_shape), None, np.ones(1))
    everywhere = tuple(slice(0, n) for n in problem.spatial_shape)
    truth = masked(maps, regions)

    def one_pass() -> None:
        sums.regions[:] = 0
        for t, values in enumerate(maps):
            sums.take(t, everywhere, torch.from_numpy(values)[None])

    seconds = interleaved(
        {
            "one pass": one_pass,
            "masks": lambda: masked(maps, regions),
            "as published": lambda: as_published(maps, regions),
        },
        chosen.repeats,
    )
    found = np.concatenate(sums.signed(sums.regions[: len(maps), 1:]))
    here = int((regions.counts > 0).sum())
    print(f"sums of {len(maps)} maps over {len(regions.regions)} regions, of which {here} are there")
    print(f"  largest difference {np.abs(found - truth).max() / np.abs(truth).max():.0e}")
    report(seconds, [("masks", "one pass", "no claim"), ("as published", "one pass", "at least 20")])


def masked(maps: np.ndarray, regions: Partition) -> np.ndarray:
    """Positive and negative sums and squares, (3, maps, R), class by class and region by region."""
    labels = regions.labels.numpy()
    out = np.zeros((3, len(maps), len(regions.regions)))
    for t, values in enumerate(maps):
        for r in range(len(regions.regions)):
            mask = labels == r
            own = values[0][mask].astype(np.float64)
            out[:, t, r] = np.maximum(own, 0).sum(), np.maximum(-own, 0).sum(), (own**2).sum()
    return out


def as_published(maps: np.ndarray, regions: Partition) -> np.ndarray:
    """Share of the absolute sum and mean, (2, maps, R), with one mask after the other."""
    labels = regions.labels.numpy()
    out = np.zeros((2, len(maps), len(regions.regions)))
    for t, values in enumerate(maps):
        for r in range(len(regions.regions)):
            mask = labels == r
            size = np.abs(values[0])
            inside = size[mask].sum()
            out[:, t, r] = inside / size.sum(), inside / max(mask.sum(), 1)
    return out


def main() -> None:
    """Print the figures."""
    chosen = arguments(
        __doc__ or "",
        net="meshnet104",
        edge=96,
        roi=64,
        overlap=0.25,
        draws=8,
        groups=4,
        batch=0,
        memory=256,
        maps=8,
        repeats=1,
        only="",
    )
    if chosen.only in ("inference", "table", "maps"):
        measure_memory(chosen)
        return
    if chosen.only in ("", "time"):
        measure_time(chosen)
    if chosen.only in ("", "memory"):
        print(f"peak memory, the band within {chosen.memory} MB", flush=True)
        names = ("net", "edge", "roi", "overlap", "draws", "groups", "memory", "threads")
        options = [f"--{name}={getattr(chosen, name)}" for name in names] + [f"--batch={chosen.batch or 1}"]
        for only in ("inference", "table", "maps"):
            subprocess.run([sys.executable, __file__, *options, f"--only={only}"], check=True)
    if chosen.only in ("", "reduction"):
        measure_reduction(chosen)


if __name__ == "__main__":
    main()
