"""One training step of a simulator beside one of MONAI's VoxelMorphUNet of the same size, both with the classifier's passes.

    python benchmarks/simulator_speed.py --edge 64 --dims 2 --batch 16

The default simulator, with fewer weights than VoxelMorphUNet has as MONAI makes it, and one with as many.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial

import torch
from common import arguments, interleaved, report
from monai.networks.blocks import DVF2DDF, Warp
from monai.networks.nets import VoxelMorphUNet
from simulator_cohort import network

from voxplain.counterfactual.classifier import Decision
from voxplain.simulator.losses import LossSettings
from voxplain.simulator.networks import VelocitySimulator
from voxplain.simulator.training.objective import Objective

# widths with which it has about as many weights as VoxelMorphUNet
SAME = {2: (25, 50, 50), 3: (25, 50, 50)}


def main() -> None:
    """Time both by turns."""
    chosen = arguments("Training steps of simulators.", edge=64, dims=2, batch=16, repeats=7)
    warnings.simplefilter("ignore")
    x = torch.rand(chosen.batch, 1, *[chosen.edge] * chosen.dims)
    decision = Decision(network(chosen.dims, 0))
    before = decision(x)
    direction = torch.where(torch.arange(chosen.batch) % 2 == 0, 1.0, -1.0)
    target = before + 4 * direction

    sizes = {"simulator": (16, 32, 32), "simulator, as large": SAME[chosen.dims]}
    ours = {
        name: Objective(VelocitySimulator(spatial_dims=chosen.dims, widths=w), decision, LossSettings(), 4.0)
        for name, w in sizes.items()
    }
    # as its own class VoxelMorph makes it, with velocities at full resolution; it takes two channels at least
    theirs = VoxelMorphUNet(
        spatial_dims=chosen.dims, in_channels=2, unet_out_channels=32, channels=(16, 32, 32, 32, 32, 32),
        final_conv_channels=(16, 16),
    )  # fmt: skip
    integrate, warp = DVF2DDF(padding_mode="border"), Warp()
    networks = {**{name: objective.simulator for name, objective in ours.items()}, "VoxelMorphUNet": theirs}
    steppers = {name: torch.optim.AdamW(network.parameters()) for name, network in networks.items()}

    def step_ours(name: str) -> None:
        terms = ours[name](x, before, target, direction)
        ours[name].total(terms).mean().backward()
        steppers[name].step()
        steppers[name].zero_grad()

    def step_theirs() -> None:
        velocity = theirs(torch.cat([x, x], 1))
        moved = warp(x, integrate(velocity))
        (((decision(moved) - target) ** 2).mean() + (velocity**2).mean()).backward()
        steppers["VoxelMorphUNet"].step()
        steppers["VoxelMorphUNet"].zero_grad()

    def classify() -> None:
        image = x.clone().requires_grad_()
        decision(image).sum().backward()

    runs: dict[str, Callable[[], None]] = {name: partial(step_ours, name) for name in ours}
    runs |= {"VoxelMorphUNet": step_theirs, "classifier alone": classify}
    counts = [
        f"{name} {sum(p.numel() for p in network.parameters()):,}" for name, network in networks.items()
    ]
    print(f"{chosen.batch} images of {chosen.edge}^{chosen.dims}; parameters: {', '.join(counts)}")
    for run in runs.values():
        run()
    ratios = [(name, "VoxelMorphUNet", "asked: at most 1.3") for name in ours]
    report(interleaved(runs, chosen.repeats), ratios)


if __name__ == "__main__":
    main()
