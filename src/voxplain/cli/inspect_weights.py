"""What is in a file of weights: names and shapes of its tensors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.cli.listing import Listing

if TYPE_CHECKING:
    from torch import Tensor


def read_tensors(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a state dict by name; None where the file is something else."""
    import torch

    from voxplain.errors import ModelError
    from voxplain.model.weights import read_weights

    try:
        found = read_weights(path)
    except ModelError:
        return None
    return {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}


def print_weights(path: Path) -> None:
    """Print the tensors of a state dict."""
    tensors = read_tensors(path) or {}
    listing = Listing(f"weights  {path}")
    count = sum(t.numel() for t in tensors.values())
    listing.row("tensors", f"{len(tensors)} with {count:,} numbers")
    listing.row("memory", f"{sum(t.numel() * t.element_size() for t in tensors.values()) / 2**20:.1f} MB")
    listing.row("network", "not in this file: name the Python function that builds it, as in nets.py:unet")
    listing.table(
        ("tensor", "shape", "type"),
        [(n, " × ".join(map(str, t.shape)) or "one number", str(t.dtype)[6:]) for n, t in tensors.items()],
    )
    listing.print()
