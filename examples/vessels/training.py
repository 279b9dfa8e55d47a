"""One loop for the three networks: of the plain ones head 0 is trained, of the supervised one every scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from vessels import networks
from vessels.sizes import Size
from voxplain.case import Case
from voxplain.demo.networks import Draw, Progress, patches, train, zscore

# Factory and number of outputs that the loss sees.
NETWORKS = {
    "unet": (networks.unet, 1),
    "unet_mss": (networks.unet_mss, 3),
    "attention_unet": (networks.attention_unet, 1),
}


class Heads(nn.Module):
    """The first outputs of a network, one after the other along the batch, so that one loss sees them all."""

    def __init__(self, network: nn.Module, count: int) -> None:
        super().__init__()
        self.network, self.count = network, count

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, *spatial) to (count · N, 1, *spatial)."""
        out = self.network(x)
        return out if isinstance(out, Tensor) else torch.cat(out[: self.count])


def trained(
    name: str, people: Sequence[Case], size: Size, *, seed: int, device: str, progress: Progress
) -> nn.Module:
    """A network of that name, trained on phantoms; in evaluation mode on the CPU.

    Args:
        name: a key of NETWORKS.
        people: with labels.
        size: widths, patches and steps.
        seed: of the weights and of the patches.
        device: where it is trained.
        progress: called after each step with (step, steps, loss).
    """
    factory, count = NETWORKS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = factory(widths=size.widths)
    network.to(device)
    draw = _for_heads(patches(people, size=size.patch, batch=size.batch), count, device)
    train(Heads(network, count), draw, steps=size.steps, seed=seed, rate=size.rate, progress=progress)
    return network.cpu()


def dice(network: nn.Module, case: Case, device: str = "cpu") -> float:
    """Dice coefficient of what head 0 finds (logit > 0) in the z-scored image against the label."""
    with torch.no_grad():
        found = (Heads(network, 1)(torch.from_numpy(zscore(case.image))[None].to(device))[0, 0] > 0).cpu()
    truth = torch.from_numpy(np.asarray(case.label) > 0)
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()).clamp(min=1))


def _for_heads(draw: Draw, count: int, device: str) -> Draw:
    def drawn(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        images, labels = draw(rng)
        return images.to(device), labels.repeat(count, 1, 1, 1).to(device)

    return drawn
