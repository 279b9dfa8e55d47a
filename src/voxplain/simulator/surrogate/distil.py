"""Distillation: a differentiable network learns a black box's logits on images and on warped copies of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from voxplain.counterfactual.classifier.decision import Decision
from voxplain.inherent.data.augment import drawn
from voxplain.settings.section import Section, setting
from voxplain.simulator.field import exponential, warp
from voxplain.simulator.surrogate.network import SurrogateNetwork

_NODES = 5  # of the random motion along each axis


class SurrogateSettings(Section):
    """How a black box is learned; other classifiers have no use for it."""

    epochs: int = setting(40, "passes over the training part, whose images are warped anew in each", ge=1)
    batch: int = setting(32, "images per step and per question", "images", ge=1)
    learning_rate: float = setting(3e-3, "AdamW's, at its highest", gt=0)
    warp: float = setting(
        0.02,
        "standard deviation of the random motion, which simulators will make, too",
        "shares of the edge",
        ge=0,
    )
    seed: int = setting(0, "of weights, order and motion", ge=0)


def distil(
    box: Decision,
    images: Sequence[Tensor],
    told: SurrogateSettings,
    *,
    device: torch.device,
    progress: Callable[[int, int], object] = lambda *_: None,
) -> SurrogateNetwork:
    """Teach a network the black box's logit towards the disease. Hinton et al. 2015, arXiv:1503.02531, of logits.

    Half of each batch is shown as it is, half moved by a random smooth flow, since a simulator is going to ask about warped
    images. The black box is asked ``len(images) · (1 + epochs / 2)`` times; labels are not used.

    Args:
        box: what is learned.
        images: prepared, (C, *S) each.
        told: how.
        device: where the network runs.
        progress: told of epochs, and of how many there are.

    Returns:
        the network, in evaluation mode.
    """
    known = torch.cat([_asked(box, torch.stack(part), device) for part in _parts(images, told.batch)])
    scale = float(known.std()) if len(known) > 1 and float(known.std()) > 0 else 1.0
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(told.seed)
        network = SurrogateNetwork(
            len(images[0]), spatial_dims=images[0].ndim - 1, centre=float(known.mean()), scale=scale
        ).to(device)
        optimiser = torch.optim.AdamW(network.parameters(), told.learning_rate, weight_decay=1e-3)
        steps = told.epochs * -(-len(images) // told.batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, told.learning_rate, total_steps=steps)
        for epoch in range(told.epochs):
            generator = torch.Generator().manual_seed(drawn(told.seed, "surrogate", epoch))
            order = torch.randperm(len(images), generator=generator)
            for chosen in torch.split(order, told.batch):
                x = torch.stack([images[i] for i in chosen.tolist()]).to(device)
                y = known[chosen].to(device)
                half = len(x) // 2
                if half and told.warp:
                    x = torch.cat([moved(x[:half], told.warp, generator), x[half:]])
                    y = torch.cat([_asked(box, x[:half], device).to(device), y[half:]])
                loss = F.huber_loss(network(x)[:, 0] / scale, y / scale)
                optimiser.zero_grad()
                torch.autograd.backward(loss)
                optimiser.step()
                schedule.step()
            progress(epoch + 1, told.epochs)
    return network.eval()


def moved(x: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Images (N, C, *S), each along a random smooth flow of this standard deviation at its nodes (shares of the edge)."""
    shape = x.shape[2:]
    knots = torch.randn(len(x), len(shape), *[_NODES] * len(shape), generator=generator)
    edges = torch.tensor(shape, dtype=x.dtype).reshape(1, -1, *[1] * len(shape))
    mode = "bilinear" if len(shape) == 2 else "trilinear"
    velocity = F.interpolate(amount * edges * knots, shape, mode=mode, align_corners=True).to(x)
    with torch.no_grad():
        return warp(x, exponential(velocity))


def _asked(box: Decision, x: Tensor, device: torch.device) -> Tensor:
    with torch.no_grad():
        out: Tensor = box(x.to(device))
    return out.float().cpu()


def _parts(images: Sequence[Tensor], size: int) -> list[list[Tensor]]:
    return [
        [images[i] for i in range(start, min(start + size, len(images)))]
        for start in range(0, len(images), size)
    ]
