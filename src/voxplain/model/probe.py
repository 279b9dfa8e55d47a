"""Finding out by asking: dimensions, channels, task and number of classes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from voxplain.errors import InputError, ModelError
from voxplain.model import outputs
from voxplain.model.checks import OneVoxelError, OutputShapeError, PassError, out_of_memory

if TYPE_CHECKING:
    from voxplain.model.model import Model
    from voxplain.model.preparation import Preparation
    from voxplain.model.windows import Windows

# multiples of 32 first, then what classifiers insist on; volumes stay small for the sake of time
_EDGES = {2: (32, 64, 28, 96, 128, 224, 256, 48, 299, 512), 3: (32, 64, 16, 48, 96)}


def spatial_dims(
    module: nn.Module,
    given: int | None,
    windows: Windows,
    prepare: Preparation,
    fixed_shape: tuple[int, ...] | None,
) -> int:
    """Two or three, from what was given or from the first convolution.

    Raises:
        ModelError: it cannot be told.
    """
    if given is not None:
        if given not in (2, 3):
            raise InputError(f"spatial_dims: found {given}, expected 2 or 3")
        return given
    if prepare.dims is not None:
        return prepare.dims
    if fixed_shape is not None and len(fixed_shape) in (2, 3):
        return len(fixed_shape)
    weight = _first_convolution(module)
    if weight is not None:
        return weight.ndim - 2
    for sizes in (windows.roi, prepare.size):
        if isinstance(sizes, tuple) and len(sizes) in (2, 3):
            return len(sizes)
    raise ModelError(
        f"{type(module).__name__}: cannot tell whether it takes 2-D or 3-D images; give spatial_dims, 2 or 3, beside its "
        "source"
    )


def channels_in(module: nn.Module) -> int | None:
    """Channels that the first registered convolution takes; a guess, which only shapes messages and probes."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Conv3d)):
            return layer.in_channels
    weight = _first_convolution(module)
    return None if weight is None else int(weight.shape[1])


def ask(model: Model) -> str:
    """Let the model see small random inputs until one works.

    Returns:
        Why none worked, or "".

    Raises:
        ModelError: the outputs contradict what the user said, or lie on another grid than the input.
    """
    why = "no size was tried"
    off_grid: OutputShapeError | None = None
    with model.frozen(), torch.no_grad():
        for shape in _candidates(model):
            try:
                out = _try(model, shape)
            except OutputShapeError as error:
                off_grid = off_grid or error
                continue
            except PassError as error:
                why = str(error)
                continue
            except Exception as error:
                if not out_of_memory(error):
                    raise
                return f"out of memory at {shape}"
            _warn_of_probabilities(model, out, shape)
            _keep_samples_apart(model, shape, out)
            _refuse_shared_in_place(model, shape)
            return ""
    if isinstance(off_grid, OneVoxelError) and model.asked_task is None:
        model.asked_task = "classification"  # one voxel whatever the size
        return ask(model)
    if off_grid is not None:
        raise off_grid
    return why


def _refuse_shared_in_place(model: Model, shape: tuple[int, ...]) -> None:
    """Refuse modules that are another function once their in-place activations are not in place.

    Such a module uses a tensor again that an activation has changed meanwhile. It has no gradient in PyTorch either,
    or a wrong one.
    """
    flag = "inplace"
    switched = [m for m in model.module.modules() if m in model.in_place]
    if not switched:
        return
    x = _random(model, (model.fixed_batch or 1, *shape))
    apart = model.forward(x)
    try:
        for m in switched:
            setattr(m, flag, True)
        together = model.forward(x)
    finally:
        for m in switched:
            setattr(m, flag, False)
    if not torch.allclose(apart, together, rtol=1e-3, atol=1e-4 * float(together.abs().max())):
        raise ModelError(
            f"{model.name}: an in-place activation changes a tensor that is used again afterwards, so that the network "
            "is another one without it; write that activation out of place (inplace=False) where this is not meant, "
            "or give it a clone of its input"
        )


def _try(model: Model, shape: tuple[int, ...]) -> Tensor:
    """Two samples at once, or one where the module has the batch size built in."""
    try:
        return model.forward(_random(model, (model.fixed_batch or 2, *shape)))
    except (PassError, OutputShapeError) as error:
        if model.fixed_batch or isinstance(error, OneVoxelError):
            raise
        out = model.forward(_random(model, (1, *shape)))
        model.fixed_batch = 1
        return out


def _keep_samples_apart(model: Model, shape: tuple[int, ...], together: Tensor) -> None:
    """Pass samples one by one where the other samples of a batch change an output, as batch statistics do.

    Everything downstream takes the samples of a batch as independent.
    """
    if model.fixed_batch:
        return
    first = _random(model, (2, *shape))[:1]
    try:
        alone = model.forward(first)
    except (PassError, OutputShapeError):
        return
    if _same(together[:1], alone, model):
        return
    if not _same(model.forward(first), alone, model):
        warnings.warn(
            f"{model.name}: the same input gives another output in every pass, so maps and scores are as random; "
            "leave what is random (dropout, noise) out of its evaluation mode",
            stacklevel=4,
        )
    else:
        model.fixed_batch = 1
        warnings.warn(
            f"{model.name}: the other samples of a batch change its output (normalisation by batch statistics is one "
            "cause), so it is given one sample at a time, which is slower",
            stacklevel=4,
        )


def _same(a: Tensor, b: Tensor, model: Model) -> bool:
    """Whether two outputs differ by no more than rounding.

    Kernels depend on the size of the batch, and those of accelerators may round to 10 bits, bfloat16 to 7.
    """
    half = any(p.dtype in (torch.bfloat16, torch.float16) for p in model.module.parameters())
    exact = model.device.type == "cpu" and model.precision == "fp32" and not half
    return bool(torch.allclose(a, b, rtol=0, atol=(1e-3 if exact else 5e-2) * float(b.abs().max())))


def _random(model: Model, shape: tuple[int, ...], factor: float = 1.0) -> Tensor:
    # a generator of its own: loading a model must not change the user's random numbers
    values = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    values[1:] *= 0.25  # samples of different scale, so that a network that mixes them shows it
    return (values * factor).to(model.device)


def _candidates(model: Model) -> Iterator[tuple[int, ...]]:
    dims = model.spatial_dims
    channels = [model.channels_in] if model.channels_in else [1, 3, 2, 4]
    if model.fixed_shape is not None:
        yield from ((c, *model.fixed_shape) for c in channels)
        return
    known = [s for s in (_grid(model.windows.roi, dims), _grid(model.prepare.size, dims)) if s]
    small = [s for s in known if torch.Size(s).numel() <= 64**dims]
    common = [(edge,) * dims for edge in _EDGES[dims]]
    large = [s for s in known if s not in small]
    for shape in dict.fromkeys([*small, *common[:2], *large, *common[2:]]):
        yield from ((c, *shape) for c in channels)


def _grid(sizes: int | tuple[int, ...] | None, dims: int) -> tuple[int, ...] | None:
    if sizes is None:
        return None
    grid = (sizes,) * dims if isinstance(sizes, int) else tuple(sizes)
    return grid if len(grid) == dims and min(grid) > 0 else None


def _first_convolution(module: nn.Module) -> Tensor | None:
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
            return layer.weight
    # compiled modules have no Python types: a convolution's weight is what has four or five axes
    return next((p for n, p in module.named_parameters() if p.ndim in (4, 5) and "weight" in n), None)


def _warn_of_probabilities(model: Model, out: Tensor, shape: tuple[int, ...]) -> None:
    if model.asked_output is not None or not outputs.in_unit_interval(out):
        return
    if not outputs.sums_to_one(out):
        whole = (model.fixed_batch or 2, *shape)
        try:
            wild = torch.cat([model.forward(_random(model, whole, factor)) for factor in (100.0, -100.0)])
        except PassError:
            return
        if not outputs.in_unit_interval(wild):
            return
    warnings.warn(
        f"{model.name}: its outputs look like probabilities (all in [0, 1]), but they are taken as logits; "
        "pass output='probabilities' (--output probabilities), or leave the last softmax or sigmoid out of the network",
        stacklevel=4,
    )
