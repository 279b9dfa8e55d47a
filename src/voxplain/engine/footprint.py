"""What one sample costs, found out without computing it.

The network is run once on fake tensors, which have shapes but no data: this takes milliseconds and tells how
much memory a backward pass keeps alive, before a volume that is too large kills the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from voxplain.model.model import Model

# A 3-D convolution with one small sample takes a kernel that is several times slower than oneDNN's
# (PyTorch 2.x on the CPU: samples × channels × depth × height up to this many elements).
SLOW_ELEMENTS = 20_480
SLOW_FACTOR = 5


@dataclass(frozen=True)
class Footprint:
    """Cost of one sample.

    Attributes:
        gradient_bytes: kept alive by a forward pass with gradient.
        forward_bytes: the largest output of one step and its input, doubled: a forward pass alone.
        pairs_pay: whether a lone sample is faster with an idle twin beside it.
    """

    gradient_bytes: int
    forward_bytes: int
    pairs_pay: bool


class _Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.largest = 0
        self.fast = 0.0
        self.slow = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            self.largest = max(self.largest, out.numel() * out.element_size())
            if func is torch.ops.aten.convolution.default and not args[6]:
                self._convolution(args[0], args[1], out)
        return out

    def _convolution(self, x: Tensor, weight: Tensor, out: Tensor) -> None:
        work = float(out.numel() * weight[0].numel())
        lone = x.dim() == 5 and x.shape[0] == 1 and x.shape[1] * x.shape[2] * x.shape[3] <= SLOW_ELEMENTS
        if lone:
            self.slow += work
        else:
            self.fast += work


def footprint(model: Model, shape: tuple[int, ...]) -> Footprint | None:
    """Measure one sample of (C, *roi) on fake tensors; ``None`` where the network does not allow it."""
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage._cdata] = storage.nbytes()
        return tensor

    meter = _Meter()
    # The module itself, not model.forward, whose checks look at values that fake tensors do not have
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), meter:
            dtype = next((p.dtype for p in model.module.parameters() if p.is_floating_point()), torch.float32)
            x = torch.empty((1, *shape), dtype=dtype, device=model.device, requires_grad=True)
            with saved_tensors_hooks(pack, lambda t: t), torch.enable_grad():
                model.module(x)
    except Exception:  # noqa: BLE001  any network may refuse; the estimate is a courtesy
        return None
    pays = model.device.type == "cpu" and SLOW_FACTOR * meter.slow + meter.fast > 2 * (
        meter.slow + meter.fast
    )
    return Footprint(sum(saved.values()), 4 * meter.largest, pays)


def available_bytes(device: torch.device) -> int:
    """Memory that a computation on this device may still take."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:  # noqa: PTH123  not a user's file
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return min(int(line.split()[1]) * 1024, _cgroup_room())
    except OSError:
        pass
    return 1 << 62


def _cgroup_room() -> int:
    """What a container's limit leaves."""
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as limit:  # noqa: PTH123
            most = limit.read().strip()
        with open("/sys/fs/cgroup/memory.current", encoding="ascii") as current:  # noqa: PTH123
            used = int(current.read())
        return int(most) - used if most != "max" else 1 << 62
    except (OSError, ValueError):
        return 1 << 62
