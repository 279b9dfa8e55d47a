"""What one sample costs, found out without computing it.

The network is run once on fake tensors, which have shapes but no data: this takes milliseconds and tells how
much memory a backward pass keeps alive, before a volume that is too large kills the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from voxplain.engine.fake import fake_input, faked
from voxplain.engine.process_memory import own_room
from voxplain.model.model import Model

# A 3-D convolution with one small sample takes a kernel that is several times slower than oneDNN's
# (PyTorch 2.x on the CPU: samples × channels × depth × height up to this many elements).
SLOW_ELEMENTS = 20_480
SLOW_FACTOR = 5
# A transposed convolution takes about so many times what oneDNN needs for as much work.
TRANSPOSED_FACTOR = 6


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
            if func is torch.ops.aten.convolution.default:
                self._convolution(args[0], args[1], out, transposed=args[6])
        return out

    def _convolution(self, x: Tensor, weight: Tensor, out: Tensor, *, transposed: bool) -> None:
        if transposed:
            # it has no slow kernel, so an idle twin costs as much as the sample itself
            self.fast += TRANSPOSED_FACTOR * float(x.numel() * weight[0].numel())
            return
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
    try:
        with faked(model) as module, meter, saved_tensors_hooks(pack, lambda t: t), torch.enable_grad():
            module(fake_input(model, (1, *shape), requires_grad=True).clone())
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
        # what the caching allocator holds but does not use is free for us
        return int(free) + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return min(int(line.split()[1]) * 1024, _cgroup_room(), own_room())
    except OSError:
        pass
    return 1 << 62


def _cgroup_room() -> int:
    """What a container's limit leaves; page cache that can be dropped counts as free."""
    folder = Path("/sys/fs/cgroup")
    try:
        most = (folder / "memory.max").read_text(encoding="ascii").strip()
        if most == "max":
            return 1 << 62
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        details = (folder / "memory.stat").read_text(encoding="ascii").split()
        cached = int(details[details.index("inactive_file") + 1])
    except (OSError, ValueError):
        return 1 << 62
    return int(most) - used + cached
