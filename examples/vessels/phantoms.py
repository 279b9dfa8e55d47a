"""The phantoms: some to train on, kept in memory, and some to ask about, written as NIfTI."""

from __future__ import annotations

from vessels.sizes import Size
from voxplain.case import Case
from voxplain.phantom import vessels

# Most grids are plain; the others are what a clinic sends: thick slices, other axes, both.
GRIDS = (
    ((1.0, 1.0, 1.0), "RAS"),
    ((1.0, 1.0, 1.0), "RAS"),
    ((0.8, 0.8, 1.2), "LPS"),
    ((1.0, 1.0, 1.0), "PIR"),
)


def training_phantoms(size: Size, seed: int) -> list[Case]:
    """Phantoms to train on; their seeds follow one another."""
    return [_phantom(size.person, size, 10_000 * seed + n, n) for n in range(size.people)]


def held_out_phantoms(size: Size, seed: int) -> list[Case]:
    """Phantoms that no network has seen; their seeds are far from those of the others."""
    return [_phantom(size.edge, size, 10_000 * seed + 5_000 + n, n) for n in range(size.cases)]


def _phantom(edge: int, size: Size, seed: int, number: int) -> Case:
    spacing, orientation = GRIDS[number % len(GRIDS)]
    return vessels((edge,) * 3, seed=seed, spacing=spacing, orientation=orientation, trees=size.trees)
