"""How good one counterfactual is: what changed, how much, and whether what changed is what the model looks at."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from voxplain.counterfactual.direction.queries import Scorer, scored
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.errors import InputError

PASTED = 20  # steps of COUT


def proximity(image: Tensor, changed: Tensor, *, power: int = 1) -> float:
    """Mean of ``|x' − x|^p`` over channels and voxels, to the power 1/p; the image's own units."""
    _alike(image, changed)
    return float((changed - image).abs().double().pow(power).mean() ** (1 / power))


def sparsity(image: Tensor, changed: Tensor, *, least: float = 0.01) -> float:
    """Share of voxels that change by more than ``least`` of the image's range; 0 is no change."""
    _alike(image, changed)
    reach = float(image.amax() - image.amin())
    return float(((changed - image).abs().amax(0) > least * reach).double().mean())


def identity(features: nn.Module, image: Tensor, changed: Tensor) -> float:
    """Cosine of the features of both, from −1 to 1: whether it is still the same patient.

    Args:
        features: (N, C, *S) to (N, F), best centred on the mean of many images.
        image, changed: (C, *S).
    """
    _alike(image, changed)
    with torch.no_grad():
        a, b = features(torch.stack([image, changed])).double()
    return float(a @ b / (a.norm() * b.norm()).clamp_min(1e-300))


def insertion(
    scorer: Scorer, image: Tensor, changed: Tensor, *, steps: int = PASTED, towards: float = 1.0
) -> float:
    """COUT (Khorram & Fuxin, CVPR 2022): whether few voxels, those that change most, carry the change of the decision.

    Voxels of the counterfactual are pasted into the image in the order of their change; of the probability of the new
    decision and of the old one the areas are taken over the share that is pasted, by trapezoids, and subtracted.

    Args:
        scorer: (N, C, *S) to (N,) logits between two decisions.
        image, changed: (C, *S).
        steps: of equal numbers of voxels.
        towards: the sign of the new decision's logit.

    Returns:
        from −1 to 1; near 1 where the first voxels decide.
    """
    _alike(image, changed)
    order = (changed - image).abs().amax(0).flatten().argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    shown = torch.linspace(0, len(order), steps + 1, device=image.device).round()
    pasted = rank.reshape(1, 1, *image.shape[1:]) < shown.reshape(-1, *(1,) * image.ndim)
    with torch.no_grad():
        logits = scored(scorer, torch.where(pasted, changed, image)).double()
    new = torch.sigmoid(logits * (1.0 if towards > 0 else -1.0))
    share = (shown / len(order)).double()
    return float(torch.trapezoid(2 * new - 1, share))


def composition(generator: Generator, image: Tensor, *, times: int = 1) -> float:
    """Mean absolute change of an image that is copied again and again without any step: 0 for an exact generator.

    An axiom of counterfactuals (Monteiro et al., ICLR 2023): to change nothing must change nothing.
    """
    copy = image[None]
    with torch.no_grad():
        for _ in range(times):
            copy = generator.decode(generator.encode(copy))
    return float((copy[0] - image).abs().mean())


def reversibility(image: Tensor, back: Tensor) -> float:
    """Mean absolute difference of an image and what comes of it there and back again; another of the axioms."""
    _alike(image, back)
    return float((back - image).abs().mean())


def oracle_agreement(
    scorers: Sequence[Scorer], images: Tensor, changed: Tensor, *, boundary: float = 0.0
) -> list[float]:
    """Of each of several models, the share of counterfactuals (N, C, *S) whose decision it sees change, too.

    Models that were trained apart share what the images show, not each other's weak spots: a change that the explained model
    alone sees is an attack and no explanation.
    """
    with torch.no_grad():
        return [
            float(((scored(s, images) > boundary) != (scored(s, changed) > boundary)).double().mean())
            for s in scorers
        ]


def _alike(image: Tensor, changed: Tensor) -> None:
    if image.shape != changed.shape:
        raise InputError(
            f"changed: found shape {tuple(changed.shape)}, expected the image's {tuple(image.shape)}"
        )
