"""Seconds per training step, per explained image, and memory, at the sizes of real scans and on the device that is there.

    python benchmarks/simulator_device.py --device cuda --shape 64 64 64 --batch 40                        # as published
    python benchmarks/simulator_device.py --device cuda --shape 128 160 128 --batch 2 --precision bf16
    python benchmarks/simulator_device.py --shape 16 16 16 --batch 2                                       # that it runs

The classifier is that of the published code in size: convolutions of 16, 32, 64 and 16 channels, each halving the image.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from voxplain.attribution.peak import PeakMemory
from voxplain.counterfactual.classifier import Decision
from voxplain.simulator import (
    Explainer,
    LossSettings,
    PublishedSimulator,
    Simulator,
    Typical,
    VelocitySimulator,
)
from voxplain.simulator.training.objective import Objective

_WIDTHS = (16, 32, 64, 16)


def classifier(dims: int) -> nn.Module:
    """Untrained: what a step costs does not depend on weights."""
    conv, norm, pool = (
        (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d, nn.MaxPool3d)
    )
    mean = (nn.AdaptiveAvgPool2d if dims == 2 else nn.AdaptiveAvgPool3d)(1)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise((1, *_WIDTHS)):
        layers += [conv(inputs, outputs, 3, padding=1), norm(outputs), nn.ReLU(), pool(2)]
    return nn.Sequential(*layers, mean, nn.Flatten(), nn.Linear(_WIDTHS[-1], 2))


def seconds(run: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Median; the first run warms up."""
    taken = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def measure(name: str, made: Simulator, losses: LossSettings, chosen: argparse.Namespace) -> None:
    """One simulator's training step and explanation."""
    device = torch.device(chosen.device)
    decision = Decision(classifier(len(chosen.shape))).to(device)
    objective = Objective(made.to(device), decision, losses, 4.0).train()
    optimiser = torch.optim.AdamW(made.parameters(), 2e-3)
    x = torch.rand(chosen.batch, 1, *chosen.shape, device=device)
    direction = torch.where(torch.arange(chosen.batch, device=device) % 2 == 0, 1.0, -1.0)
    before = -2 * direction

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=chosen.precision == "bf16"):
            terms = objective(x, before, -before, direction)
            loss = objective.total(terms).mean()
        torch.autograd.backward(loss)
        optimiser.step()
        optimiser.zero_grad()

    with PeakMemory(device) as peak:
        each = seconds(step, chosen.steps, device)
    explainer = Explainer(made, decision, Typical(-2.0, 2.0))
    asked = seconds(lambda: explainer.explain(x[0]), 1, device)
    parameters = sum(p.numel() for p in made.parameters())
    told = f"{each:.3f} s per step, at most {peak.bytes / 2**30:.2f} GiB, {asked:.2f} s per explained image"
    print(f"{name}: {parameters:,} parameters, {told}", flush=True)


def main() -> None:
    """Both simulators."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--shape", type=int, nargs="+", default=[64, 64, 64], help="two voxel counts, or three"
    )
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--steps", type=int, default=10, help="that are timed")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    shape = " × ".join(map(str, chosen.shape))
    device = torch.device(chosen.device)
    card = (
        torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    )
    print(f"{chosen.batch} images of {shape}, {chosen.precision}, {chosen.device} ({card})")
    measure("velocity", VelocitySimulator(spatial_dims=len(chosen.shape)), LossSettings(), chosen)
    measure("published", PublishedSimulator(size=chosen.shape), LossSettings.published(), chosen)


if __name__ == "__main__":
    main()
