"""How many samples go through the network at once, by what the machine has and not by what is free at the moment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from voxplain.engine.runner import CPU_VOXELS, CUDA_VOXELS, LARGEST_BATCH

if TYPE_CHECKING:
    from voxplain.engine import Problem

# Of all memory: some of it is others', and several workers share it.
SHARE = 0.25


def steady_batch(problem: Problem) -> int:
    """The batch for all tasks of a problem's model and case; the same on every run, for rounding depends on it."""
    runner = problem.runner
    if runner.fixed:
        return runner.fixed
    voxels = 1
    for size in runner.shape[1:]:
        voxels *= size
    device = problem.model.device
    wanted = (CPU_VOXELS if device.type == "cpu" else CUDA_VOXELS) // max(voxels, 1)
    batch = min(max(wanted, 2), LARGEST_BATCH)
    if runner.footprint and runner.footprint.gradient_bytes:
        batch = min(batch, max(int(SHARE * total_bytes(device) // runner.footprint.gradient_bytes), 1))
    return batch


def total_bytes(device: torch.device) -> int:
    """Memory of the machine, or of the container that it is in, or of the GPU."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    sizes = [1 << 62]
    for path, unit in (("/proc/meminfo", 1024), ("/sys/fs/cgroup/memory.max", 1)):
        try:
            text = Path(path).read_text(encoding="ascii")
        except OSError:
            continue
        words = text.split()
        number = words[1] if unit > 1 else words[0]
        if number.isdecimal():
            sizes.append(int(number) * unit)
    return min(sizes)
