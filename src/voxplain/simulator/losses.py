"""What a simulator is trained for, one loss per sample each."""

from __future__ import annotations

import warnings
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from voxplain.settings.section import Section, setting


class LossSettings(Section):
    """Weights of the losses; the defaults are ours, `published` are those of the released code."""

    logit: Literal["two-sided", "hinge"] = setting(
        "two-sided",
        "two-sided: the logit of an image of the other class, drawn for each; hinge: margin beyond its own, as published",
    )
    dose: Literal["matched", "full"] = setting(
        "matched",
        "matched: as far as the drawn logit lies away, 1 is the distance of the classes; full: always 1",
    )
    margin: float = setting(12.5, "of the hinge", "logits", gt=0)
    size: float = setting(3000.0, "of the squared motion, as a share of the image's edge", ge=0)
    bending: float = setting(
        6e-3, "of the motion's bending energy, lengths as shares of the image's edge", ge=0
    )
    gradient: float = setting(0.0, "of the motion's absolute differences between neighbours, in voxels", ge=0)
    cycle: float = setting(0.0, "of the squared difference to the image after going there and back", ge=0)
    brightness: float = setting(4.0, "of the absolute change of brightness, where there is one", ge=0)
    adversarial: float = setting(0.0, "of looking real to a critic that is trained beside", ge=0)

    @classmethod
    def published(cls) -> LossSettings:
        """As in the released code of Liu et al. 2021: hinge, full dose, cycle, and next to no smoothness."""
        return cls(logit="hinge", dose="full", size=0.0, bending=0.0, gradient=4e-5, cycle=1.0)


def matched_dose(before: Tensor, target: Tensor, direction: Tensor, gap: float) -> Tensor:
    """(N,) how much of the classes' distance lies between an image's logit and its target; within 0.1 and 2.

    A simulator that is trained with it changes the logit in proportion to the dose, so doses mean something.

    Args:
        before, target: (N,) logits.
        direction: (N,) +1 or −1.
        gap: distance of the classes' typical logits, > 0.
    """
    return ((target - before) * direction / gap).clamp(0.1, 2.0)


def towards(after: Tensor, target: Tensor, gap: float) -> Tensor:
    """Two-sided: Huber's loss of what is missing or too much, in units of the classes' distance; (N,)."""
    return F.huber_loss(after / gap, target / gap, reduction="none", delta=0.5)


def hinge(before: Tensor, after: Tensor, direction: Tensor, margin: float) -> Tensor:
    """One-sided: what is missing to `margin` logits beyond the image's own; nothing keeps it from overshooting. (N,)."""
    return F.relu(margin - (after - before) * direction)


def size(field: Tensor) -> Tensor:
    """Mean squared length of a field (N, D, *S) in voxels, each component as a share of the image's edge; (N,)."""
    edges = torch.tensor(field.shape[2:], dtype=field.dtype, device=field.device)
    relative = field / edges.reshape(1, -1, *[1] * len(edges))
    return (relative**2).sum(1).flatten(1).mean(1)


def bending(field: Tensor) -> Tensor:
    """Bending energy of a field (N, D, *S) in voxels, lengths as shares of the image's edge; (N,).

    Relative to the edge, a motion of the same anatomy costs the same on a finer grid.
    """
    from monai.losses import BendingEnergyLoss

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MONAI indexes with lists, which torch will read otherwise some day
        energy: Tensor = BendingEnergyLoss(normalize=True, reduction="none")(field)
    return energy.flatten(1).mean(1)


def gradient(field: Tensor) -> Tensor:
    """Mean absolute difference of neighbours along each axis, averaged over axes; (N,). As published."""
    axes = range(2, field.ndim)
    return torch.stack([field.diff(dim=axis).abs().flatten(1).mean(1) for axis in axes]).mean(0)
