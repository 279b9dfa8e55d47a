"""One training step of a simulator beside one of MONAI's VoxelMorphUNet of the same size, both with the classifier's passes.

python benchmarks/simulator_speed.py --edge 64 --dims 2 --batch 16
"""

from __future__ import annotations

import warnings

import torch
from common import arguments, interleaved, report
from monai.networks.blocks import DVF2DDF, Warp
from monai.networks.nets import VoxelMorphUNet
from simulator_cohort import network

from voxplain.counterfactual.classifier import Decision
from voxplain.simulator.losses import LossSettings
from voxplain.simulator.networks import VelocitySimulator
from voxplain.simulator.training.objective import Objective


def main() -> None:
    """Time both by turns."""
    chosen = arguments("Training steps of simulators.", edge=64, dims=2, batch=16, repeats=7)
    warnings.simplefilter("ignore")
    x = torch.rand(chosen.batch, 1, *[chosen.edge] * chosen.dims)
    decision = Decision(network(chosen.dims, 0))
    before = decision(x)
    direction = torch.where(torch.arange(chosen.batch) % 2 == 0, 1.0, -1.0)
    target = before + 4 * direction

    ours = Objective(VelocitySimulator(spatial_dims=chosen.dims), decision, LossSettings(), 4.0)
    # as its own class VoxelMorph makes it, with velocities at full resolution; it takes two channels at least
    theirs = VoxelMorphUNet(
        spatial_dims=chosen.dims, in_channels=2, unet_out_channels=32, channels=(16, 32, 32, 32, 32, 32),
        final_conv_channels=(16, 16),
    )  # fmt: skip
    integrate, warp = DVF2DDF(padding_mode="border"), Warp()
    steppers = [torch.optim.AdamW(m.parameters()) for m in (ours.simulator, theirs)]

    def step_ours() -> None:
        terms = ours(x, before, target, direction)
        ours.total(terms).mean().backward()
        steppers[0].step()
        steppers[0].zero_grad()

    def step_theirs() -> None:
        velocity = theirs(torch.cat([x, x], 1))
        moved = warp(x, integrate(velocity))
        (((decision(moved) - target) ** 2).mean() + (velocity**2).mean()).backward()
        steppers[1].step()
        steppers[1].zero_grad()

    def classify() -> None:
        image = x.clone().requires_grad_()
        decision(image).sum().backward()

    runs = {"simulator": step_ours, "VoxelMorphUNet": step_theirs, "classifier alone": classify}
    counts = [sum(p.numel() for p in m.parameters()) for m in (ours.simulator, theirs)]
    print(f"{chosen.batch} images of {chosen.edge}^{chosen.dims}; parameters {counts[0]} and {counts[1]}")
    for run in runs.values():
        run()
    report(interleaved(runs, chosen.repeats), [("simulator", "VoxelMorphUNet", "asked: at most 1.3")])


if __name__ == "__main__":
    main()
