"""Whether an input fits a network, and what to say where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from voxplain.errors import InputError, ModelError, VoxplainError, suggest

if TYPE_CHECKING:
    from voxplain.model.model import Model

# what allocators say, in lower case: CUDA, Linux and its errno, Windows
_OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
)


class PassError(ModelError):
    """The network itself failed on an input."""


class NotFiniteError(PassError):
    """The network's output is NaN or infinite."""


class OutputShapeError(ModelError):
    """The network's output is not on the input's grid."""


class OneVoxelError(OutputShapeError):
    """An output of one voxel, which may be a classification or a coarse segmentation."""


def choice(field: str, value: str | None, known: Sequence[str]) -> None:
    """Raise InputError where ``value`` is given and unknown."""
    if value is not None and value not in known:
        raise InputError(f"{field}: found {value!r}; {suggest(str(value), known)}")


def device(asked: str | torch.device) -> torch.device:
    """The device, if it is here."""
    try:
        found = torch.device(asked)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        here = (
            "cpu" if not torch.cuda.is_available() else f"cpu, cuda:0 … cuda:{torch.cuda.device_count() - 1}"
        )
        raise ModelError(
            f"device {str(asked)!r} cannot be used ({first_line(error)}); here: {here}"
        ) from error
    return found


def input_shape(model: Model, x: Tensor) -> None:
    """Raise ModelError where x cannot be an input of the model."""
    if x.ndim != model.spatial_dims + 2:
        raise ModelError(
            f"{model.name}: input {tuple(x.shape)}, expected (N, C, *spatial) with {model.spatial_dims} spatial axes"
        )
    spatial = tuple(x.shape[2:])
    if model.fixed_shape is not None and spatial != tuple(model.fixed_shape):
        raise PassError(
            f"{model.name}: input of {spatial} voxels, but the exported network takes only "
            f"{tuple(model.fixed_shape)}; use windows with roi={tuple(model.fixed_shape)}"
        )


def out_of_memory(error: BaseException) -> bool:
    """Whether a pass failed for memory, which a smaller batch may mend; voxplain's own errors are no such thing."""
    if isinstance(error, VoxplainError):
        return False
    text = str(error).casefold()
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)
    )


def explain(error: Exception, model: Model, x: Tensor) -> ModelError:
    """The network's own exception as one line."""
    shape = tuple(x.shape)
    if model.channels_in is not None and x.shape[1] != model.channels_in:
        return PassError(
            f"{model.name}: the network expects {_count(model.channels_in, 'channel')}, "
            f"the input {shape} has {x.shape[1]}; stack the missing images as channels, or choose the right network"
        )
    return PassError(f"{model.name}: the network failed on an input of shape {shape}: {first_line(error)}")


def finite(out: Tensor, x: Tensor, name: str) -> None:
    """Raise NotFiniteError where the output is not finite."""
    if bool(torch.isfinite(out.detach().sum())) or bool(torch.isfinite(out.detach()).all()):
        return
    cause = (
        "the input is not finite either"
        if not bool(torch.isfinite(x).all())
        else ("check its weights, the scale of the input (prepare.scale), or use precision='fp32'")
    )
    bad = int((~torch.isfinite(out.detach())).sum())
    raise NotFiniteError(f"{name}: {bad} of {out.numel()} outputs are NaN or infinite; {cause}")


def first_line(error: BaseException) -> str:
    """An exception's type and the first line that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = next((line for line in lines if not line.startswith(("The following operation", "Traceback"))), "")
    # TorchScript puts its own traceback first and the cause last
    if lines and any(line.startswith("Traceback of TorchScript") for line in lines):
        text = lines[-1]
    text = text if len(text) <= 300 else text[:297] + "…"
    kind = type(error).__name__
    return f"{kind}: {text}" if text and not text.startswith(kind) else (text or kind)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
