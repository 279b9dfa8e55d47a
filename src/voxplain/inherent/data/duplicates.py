"""Images that are nearly the same in two parts of a split: copies under other names undo any grouping."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from voxplain.inherent.data.split import Split

ALIKE = (
    0.9  # share of equal places: of chest X-rays (28 × 28), strangers stay below 0.8, copies with noise above
)
_EDGE = {2: 16, 3: 8}
_FLAT = 0.02  # of the range: smaller steps are noise
_ROWS = 2048
_OWN = 0.8  # cosine of what two images have beyond the mean image; of strangers with one anatomy it is near 0
_FEW = 8  # images, of which a mean says nothing


@dataclass(frozen=True)
class Pair:
    """Two samples that are nearly the same.

    Args:
        first: index in ``parts[0]``.
        second: index in ``parts[1]``.
        parts: where they are.
        alike: share of equal places of their hashes.
    """

    first: int
    second: int
    parts: tuple[str, str]
    alike: float


def image_hash(image: Tensor) -> Tensor:
    """Up, flat or down from each cell of a downsampled image to the next, along every axis; int8 (places,).

    Averages over cells (16 × 16, or 8 × 8 × 8) leave little of noise and compression, and steps between them nothing of
    brightness and contrast.

    Args:
        image: (C, *S); channels are averaged.
    """
    return _steps(_cells(image))


def _cells(image: Tensor) -> Tensor:
    """The image's cells, with mean 0 and deviation 1."""
    grey = image.float().mean(0, keepdim=True)
    dims = grey.ndim - 1
    pool = functional.adaptive_avg_pool2d if dims == 2 else functional.adaptive_avg_pool3d
    cells = pool(grey[None], _EDGE[dims])[0, 0]
    standard: Tensor = (cells - cells.mean()) / cells.std().clamp_min(1e-12)
    return standard


def _steps(cells: Tensor) -> Tensor:
    flat = _FLAT * (cells.max() - cells.min())
    steps = [cells.diff(dim=axis).flatten() for axis in range(cells.ndim)]
    step = torch.cat(steps)
    return (step > flat).to(torch.int8) - (step < -flat).to(torch.int8)


def near_duplicates(image: Callable[[int], Tensor], split: Split, least: float = ALIKE) -> list[Pair]:
    """Pairs of samples of different parts whose hashes agree in a share of places, the most alike first.

    Images of one anatomy agree in much: what two have beyond the mean of all must agree, too.

    Args:
        image: (C, *S) of a sample by its index, of any size.
        split: which samples are compared: every one with those of the other parts.
        least: share from which on two are nearly the same.
    """
    cells = {name: torch.stack([_cells(image(i)) for i in part]) for name, part in split.parts().items()}
    hashes = {name: torch.stack([_steps(one) for one in several]) for name, several in cells.items()}
    every = torch.cat(list(cells.values()))
    own = {name: (several - every.mean(0)).flatten(1) for name, several in cells.items()}
    found: list[Pair] = []
    for one, other in itertools.combinations(hashes, 2):
        for start in range(0, len(hashes[one]), _ROWS):
            alike = _agreement(hashes[one][start : start + _ROWS], hashes[other])
            for row, column in (alike >= least).nonzero().tolist():
                beyond = functional.cosine_similarity(own[one][start + row], own[other][column], dim=0)
                if len(every) >= _FEW and float(beyond) < _OWN:
                    continue
                indices = split.parts()[one][start + row], split.parts()[other][column]
                found.append(Pair(*indices, (one, other), float(alike[row, column])))
    return sorted(found, key=lambda pair: -pair.alike)


def _agreement(a: Tensor, b: Tensor) -> Tensor:
    """(n, places) and (m, places) -> (n, m), the share of equal places, by one product per value."""
    equal = sum(((a == value).float() @ (b == value).float().T for value in (-1, 0, 1)), torch.zeros(()))
    return equal / a.shape[1]
