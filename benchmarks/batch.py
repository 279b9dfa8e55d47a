"""The best batch and memory layout for a network on this machine: seconds per sample, forward and backward.

The defaults of `voxplain.engine.runner` (batch of two windows or more on the CPU, channels-last weights, a
lone small sample paired) come from such tables.
"""

from __future__ import annotations

import statistics
import time

import torch
from common import arguments, network


def per_sample(
    net: torch.nn.Module, batch: int, edge: int, layout: torch.memory_format, repeats: int
) -> tuple[float, float]:
    """Median seconds per sample of a forward and of an input-gradient backward pass."""
    net = net.to(memory_format=layout)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    forward, backward = [], []
    for _ in range(repeats + 1):
        x = torch.rand(batch, 1, edge, edge, edge, requires_grad=True)
        start = time.perf_counter()
        z = net(x)
        middle = time.perf_counter()
        torch.autograd.grad(z.sum(), x)
        forward.append((middle - start) / batch)
        backward.append((time.perf_counter() - middle) / batch)
    return statistics.median(forward[1:]), statistics.median(backward[1:])


def main() -> None:
    """Print a table per window size."""
    chosen = arguments(__doc__, net="unet", repeats=3, edges="32,64,96", batches="1,2,4,8")
    net, _ = network(chosen.net)
    for edge in map(int, chosen.edges.split(",")):
        print(f"{chosen.net}, {edge}³: seconds per sample (forward, backward)")
        for batch in map(int, chosen.batches.split(",")):
            if batch * edge**3 > 4 * 96**3:
                continue
            cells = []
            for name, layout in (
                ("contiguous", torch.contiguous_format),
                ("channels-last", torch.channels_last_3d),
            ):
                times = per_sample(net, batch, edge, layout, chosen.repeats)
                cells.append(f"{name} {times[0]:.3f} {times[1]:.3f}")
            print(f"  batch {batch}: " + "   ".join(cells))


if __name__ == "__main__":
    main()
