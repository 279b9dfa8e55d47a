"""The published protocol: Captum's maps of the vessel count, and two of Captum's metrics of each map."""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxplain.errors import VoxplainError

VESSEL = 1
LAYER = -2  # of the decoder's blocks: the one at half the resolution, for Guided Grad-CAM
INFIDELITY_NOISE, SENSITIVITY_NOISE = 1e-4, 1e-3
ZEROS, RANDOM = "a map of zeros", "a random map"

Explain = Callable[..., Tensor]


@dataclass(frozen=True)
class Row:
    """What is said of one map.

    Attributes:
        infidelity: no target is given, so the squared errors for background and vessel are added up.
        infidelity_target: the same for the vessel alone, with the same noise; not part of the protocol.
        sensitivity: the largest relative change of the map.
        nonzero: share of voxels that are not exactly zero.
        error: why there is no map; the figures are NaN then.
    """

    method: str
    infidelity: float = math.nan
    infidelity_target: float = math.nan
    sensitivity: float = math.nan
    nonzero: float = math.nan
    seconds: float = math.nan
    error: str = ""


def methods(x: Tensor, *, nodes: int = 50, seed: int = 0) -> dict[str, Callable[[nn.Module], Explain]]:
    """The methods by name: from a wrapped network to a function from images to maps.

    Windows and the references of the SHAP methods (zero, and the image itself or a hundred-thousandth of it) are the
    published ones. Features are the 64 cells of a 4 × 4 × 4 grid, since one per voxel would take a pass each, and
    windows move by 7 voxels.

    Args:
        x: (1, 1, *spatial), the image.
        nodes: of integrated gradients.
        seed: of the random map.

    Raises:
        VoxplainError: Captum is not installed.
    """
    try:
        from captum import attr
    except ModuleNotFoundError as error:
        raise VoxplainError("the published protocol needs Captum: pip install 'voxplain[test]'") from error
    spatial = x.shape[2:]
    window, stride = (1, *(min(11, n) for n in spatial)), (1, *(min(7, n) for n in spatial))
    blocks = _blocks(spatial)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)).to(x)
    references = torch.cat([torch.zeros_like(x), x])

    def plain(
        made: Callable[[nn.Module], attr.Attribution], **options: object
    ) -> Callable[[nn.Module], Explain]:
        def bound(net: nn.Module) -> Explain:
            return lambda images: _one(made(net).attribute(images, target=VESSEL, **options))

        return bound

    return {
        "Saliency": plain(attr.Saliency),
        "InputXGradient": plain(attr.InputXGradient),
        "IntegratedGradients": plain(attr.IntegratedGradients, n_steps=nodes, internal_batch_size=8),
        "GradientShap": plain(attr.GradientShap, baselines=references),
        "GuidedBackprop": plain(attr.GuidedBackprop),
        "Deconvolution": plain(attr.Deconvolution),
        "DeepLift": plain(attr.DeepLift),
        "DeepLiftShap": plain(attr.DeepLiftShap, baselines=torch.cat([torch.zeros_like(x), 1e-5 * x])),
        "GuidedGradCam": plain(lambda net: attr.GuidedGradCam(net, net.network.merge[LAYER])),
        "Occlusion": plain(attr.Occlusion, sliding_window_shapes=window, strides=stride),
        "FeatureAblation": plain(attr.FeatureAblation, feature_mask=blocks),
        ZEROS: lambda net: lambda images: torch.zeros_like(_one(images)),
        RANDOM: lambda net: lambda images: noise.expand_as(_one(images)).clone(),
    }


def judge(
    name: str, make: Callable[[nn.Module], Explain], wrapped: nn.Module, x: Tensor, *, seed: int = 0
) -> Row:
    """A map and its figures as published; an exception becomes the row's error.

    Args:
        name: of the method.
        make: from `methods`.
        wrapped: (N, 1, *spatial) -> (N, 2); a copy of it is asked, since hooks may stay after an exception.
        x: (1, 1, *spatial).
        seed: of the noise.
    """
    from captum.metrics import infidelity, infidelity_perturb_func_decorator, sensitivity_max

    @infidelity_perturb_func_decorator(False)
    def shaken(images: Tensor) -> Tensor:
        return images - INFIDELITY_NOISE * torch.randn_like(images)

    def shaken_more(images: Tensor) -> Tensor:
        return images - SENSITIVITY_NOISE * torch.randn_like(images)

    net = copy.deepcopy(wrapped)
    explain = make(net)
    started = time.perf_counter()
    try:
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", module="captum"
            )  # of hooks and gradients that it sets and takes back
            torch.manual_seed(seed)
            found = explain(x.clone()).detach()
            errors = []
            for target in (None, VESSEL):
                torch.manual_seed(seed)
                errors.append(infidelity(wrapped, shaken, x, found, n_perturb_samples=1, target=target))
            torch.manual_seed(seed)
            change = sensitivity_max(explain, x, shaken_more, n_perturb_samples=2)
    except Exception as error:  # noqa: BLE001 - whatever a library raises is a result here
        return Row(name, error=f"{type(error).__name__}: {str(error).split('. ')[0].splitlines()[0][:160]}")
    return Row(
        name,
        *(float(e.sum()) for e in errors),
        float(change.max()),
        float((found != 0).float().mean()),
        time.perf_counter() - started,
    )


def _one(made: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Captum hands tensors over alone or as a tuple of one."""
    return made[0] if isinstance(made, tuple) else made


def _blocks(spatial: torch.Size) -> Tensor:
    """(1, 1, *spatial) numbers of the cells of a 4 × 4 × 4 grid."""
    number = torch.zeros(spatial, dtype=torch.long)
    for axis, n in enumerate(spatial):
        cell = torch.arange(n) * 4 // n
        number = number * 4 + cell.reshape([-1 if a == axis else 1 for a in range(len(spatial))])
    return number[None, None]
