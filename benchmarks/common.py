"""What the benchmarks share: networks, a case with many classes, interleaved timing, peak memory."""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from voxplain.case import Case, Geometry

DATA = Path(os.environ.get("VOXPLAIN_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))


def arguments(description: str, **defaults: object) -> argparse.Namespace:
    """The options of a benchmark: ``--name value`` for each default, of the default's type."""
    parser = argparse.ArgumentParser(description=description)
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    return chosen


def network(name: str) -> tuple[nn.Module, int]:
    """``unet`` (MONAI UNet, InstanceNorm + PReLU, random weights, 6 classes) or ``meshnet18`` (real weights)."""
    if name == "unet":
        from monai.networks.nets import UNet

        torch.manual_seed(0)
        return UNet(3, 1, 6, (16, 32, 64, 128), (2, 2, 2), num_res_units=2).eval(), 6
    from voxplain.model import load_model

    source, weights = DATA / "models/nets.py", DATA / f"models/meshnet/{name}.pt"
    module = load_model(f"{source}:{name}", weights, windows=None).module
    return module, module[-1].out_channels


def case(name: str, edge: int) -> Case:
    """A cube of ``edge`` voxels: noise with structure for ``unet``, the middle of the real head for a MeshNet."""
    if name == "unet":
        rng = np.random.default_rng(0)
        coarse = rng.normal(size=(edge // 8 + 1,) * 3)
        image = np.kron(coarse, np.ones((8, 8, 8)))[:edge, :edge, :edge] + 0.3 * rng.normal(size=(edge,) * 3)
        return Case("noise", image[None].astype(np.float32), Geometry(np.eye(4), (edge,) * 3))
    from voxplain.case import read_case
    from voxplain.model import Preparation

    head = Preparation(orientation="LIA", spacing=1, scale="minmax")(
        read_case(DATA / "brain_t1/head_t1_1.75mm.nii.gz")
    )
    middle = tuple(slice((s - edge) // 2, (s - edge) // 2 + edge) for s in head.image.shape[1:])
    image = head.image[(slice(None), *middle)].numpy()
    return Case("head", np.ascontiguousarray(image), Geometry(np.eye(4), image.shape[1:]))


def interleaved(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Wall seconds of every run, A B C A B C …, so that a machine that drifts drifts for all."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            gc.collect()
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def report(seconds: dict[str, list[float]], pairs: list[tuple[str, str, str]]) -> None:
    """Medians, and the median of the pairwise ratios ``a/b`` with a claim beside each."""
    for name, times in seconds.items():
        print(
            f"  {name:<28} median {statistics.median(times):8.3f} s   (min {min(times):.3f}, max {max(times):.3f})"
        )
    for a, b, claim in pairs:
        ratios = [x / y for x, y in zip(seconds[a], seconds[b], strict=True)]
        print(f"  {a} / {b}: {statistics.median(ratios):.2f}   ({claim})")
