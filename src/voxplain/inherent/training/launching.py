"""Where a training runs: in this process, in several that are started here, or in those that torchrun has started."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from voxplain import errors
from voxplain.errors import InputError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


class Whereabouts(Protocol):
    """What of a training's settings says where it runs."""

    @property
    def device(self) -> str: ...
    @property
    def devices(self) -> int: ...
    @property
    def strategy(self) -> str: ...
    @property
    def precision(self) -> str: ...


def spread(run: Callable[[Fabric, nn.Module], None], network: nn.Module, settings: Whereabouts) -> None:
    """Run in processes of their own; what one of them refuses is refused here in the same words."""
    from torch.multiprocessing.spawn import ProcessRaisedException

    try:
        # the network by itself: Fabric then gives every process memory of its own for it
        _fabric(settings).launch(run, network)  # type: ignore[arg-type]  # its annotation forgets the arguments
    except ProcessRaisedException as error:
        kind, _, text = str(error).strip().splitlines()[-1].partition(": ")
        known = getattr(errors, kind.rpartition(".")[2], None) if kind.startswith(errors.__name__) else None
        if known is None:
            raise
        raise known(text) from None


def launched(settings: Whereabouts) -> Fabric:
    """A Fabric in this process, or in those that torchrun has started."""
    fabric = _fabric(settings)
    fabric.launch()
    return fabric


def _fabric(settings: Whereabouts) -> Fabric:
    try:
        from lightning_fabric import Fabric
    except ImportError:
        raise InputError("training needs lightning-fabric; pip install 'voxplain[train]'") from None
    kind, _, number = settings.device.partition(":")
    if kind == "cuda" and not torch.cuda.is_available():
        raise InputError(
            f"device: found {settings.device}, but torch sees no CUDA device here; use auto or cpu"
        )
    if number and settings.devices > 1:
        raise InputError(
            f"device: found {settings.device} for {settings.devices} processes, expected {kind} alone"
        )
    precision: Any = _PRECISIONS[settings.precision]
    return Fabric(
        accelerator=kind,
        devices=[int(number)] if number and kind == "cuda" else settings.devices,
        strategy=settings.strategy if settings.devices > 1 else "auto",
        precision=precision,
    )


@contextmanager
def determinism(wanted: bool) -> Iterator[None]:
    """Kernels that always round alike, where that is wanted."""
    before = torch.are_deterministic_algorithms_enabled()
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS asks for
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
