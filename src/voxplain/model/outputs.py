"""What a network's output means: its shape, its kind, its classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from voxplain.errors import InputError, ModelError
from voxplain.model.checks import OneVoxelError, OutputShapeError

if TYPE_CHECKING:
    from voxplain.model.model import Model, Output, Task

KINDS = ("softmax", "sigmoid", "binary", "probabilities")
_LINEAR: dict[int, Literal["bilinear", "trilinear"]] = {2: "bilinear", 3: "trilinear"}


@dataclass(frozen=True)
class Meaning:
    """What the output turned out to be."""

    task: Task
    output: Output
    classes: tuple[str, ...]
    channels: int


def shaped(out: Tensor, x: Tensor, model: Model) -> Tensor:
    """The output as (N, K) or (N, K, *spatial) on the input's grid.

    An output of one voxel is a classification, unless the network is known to be a segmentation.

    Raises:
        ModelError: any other shape, one voxel that may be either, or an output that is not made of real numbers.
    """
    if not out.is_floating_point():
        raise ModelError(
            f"{model.name}: returned {str(out.dtype).removeprefix('torch.')} values, expected class scores; "
            "a label map (argmax) has no gradient: return the scores before it"
        )
    spatial, dims, samples = tuple(x.shape[2:]), model.spatial_dims, len(x)
    if out.ndim == 0 and samples == 1:
        return out.reshape(1, 1)
    if out.ndim == 0 or len(out) != samples:
        raise _unexpected(out, x, model)
    if out.ndim <= 2:
        return out.reshape(samples, -1)
    if out.ndim == dims + 1 and tuple(out.shape[1:]) == spatial:
        return out.unsqueeze(1)
    if out.ndim != dims + 2:
        raise _unexpected(out, x, model)
    found = tuple(out.shape[2:])
    if found == spatial:
        return out
    task = model.known_task
    if all(n == 1 for n in found) and task != "segmentation":
        if task is None and model.resize_output:
            raise OneVoxelError(
                f"{model.name}: an input of {spatial} voxels gave an output of one voxel, which may be a "
                "classification or a coarse segmentation; pass task='classification' or task='segmentation'"
            )
        return out.flatten(1)
    if not model.resize_output:
        raise OutputShapeError(
            f"{model.name}: an input of {spatial} voxels gave an output of {found}, expected the same grid; "
            "pass resize_output=True (--set model.resize_output=true) to interpolate it, or choose another head"
        )
    return F.interpolate(out, size=spatial, mode=_LINEAR[dims], align_corners=False)


def meaning(
    out: Tensor,
    x: Tensor,
    task: Task | None,
    output: Output | None,
    classes: tuple[str, ...] | None,
    name: str,
) -> Meaning:
    """Complete what the user said with what the output shows.

    Raises:
        ModelError: they contradict each other.
    """
    found: Task = "classification" if out.ndim == 2 else "segmentation"
    channels = int(out.shape[1])
    if task is not None and task != found:
        raise ModelError(
            f"task: asked for {task}, but {name} returned {tuple(out.shape)} for an input of {tuple(x.shape)}, "
            f"which is a {found}"
        )
    kind = _kind(output, channels, name)
    return Meaning(found, kind, _names(classes, channels, name), channels)


def in_unit_interval(out: Tensor) -> bool:
    """Whether all values could be probabilities, and not all are the same."""
    low, high = float(out.min()), float(out.max())
    return 0 <= low < high <= 1


def sums_to_one(out: Tensor) -> bool:
    """Whether the outputs of each sample (and voxel) are a distribution over more than one class."""
    total = out.sum(1)
    return out.shape[1] > 1 and bool(torch.allclose(total, torch.ones_like(total), atol=1e-3))


def _kind(output: Output | None, channels: int, name: str) -> Output:
    if output is None:
        return "binary" if channels == 1 else "softmax"
    if output == "sigmoid" and channels == 1:
        return "binary"
    if (output == "binary") != (channels == 1) and output != "probabilities":
        works = "'softmax' or 'sigmoid'" if output == "binary" else "'binary'"
        raise ModelError(
            f"output: asked for {output!r}, but {name} has {channels} output channels; use {works}"
        )
    return output


def _names(classes: tuple[str, ...] | None, channels: int, name: str) -> tuple[str, ...]:
    if channels == 1:
        if classes is None:
            return ("background", "foreground")
        if len(classes) == 1:
            return ("background", classes[0])
        expected = 2
    else:
        if classes is None:
            return tuple(f"class {i}" for i in range(channels))
        expected = channels
    if len(classes) != expected:
        raise InputError(
            f"classes: found {len(classes)} names, but {name} has {channels} output "
            f"channel{'s' if channels > 1 else ''}; give {expected} names in the order of the outputs"
        )
    return classes


def _unexpected(out: Tensor, x: Tensor, model: Model) -> ModelError:
    spatial = ", ".join(str(n) for n in x.shape[2:])
    return OutputShapeError(
        f"{model.name}: an input of {tuple(x.shape)} gave an output of {tuple(out.shape)}, "
        f"expected ({len(x)}, K) for classification or ({len(x)}, K, {spatial}) for segmentation"
    )
