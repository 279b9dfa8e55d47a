"""How alike two maps are: correlations, overlap of the largest voxels, structural similarity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import scipy
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor

from voxplain.errors import InputError, suggest
from voxplain.metric.localisation.ties import membership

Kind = Literal["spearman", "spearman_absolute", "pearson", "pearson_absolute", "top_k", "ssim"]
KINDS: tuple[Kind, ...] = get_args(Kind)
View = NDArray[np.float32]
WINDOW = 7  # voxels along each axis over which structural similarity compares
RUN = 1 << 16  # products of single precision that are added up before double precision takes over


def check_kind(kind: str, share: float) -> None:
    """Refuse a kind that is unknown or a share that is none.

    Raises:
        InputError: see above.
    """
    if kind not in KINDS:
        raise InputError(f"agreement: kind {kind!r} is unknown; {suggest(kind, KINDS)}")
    if not 0 < share < 1:
        raise InputError(f"agreement: found share={share}, expected a share between 0 and 1")


def view(values: Tensor, kind: Kind, share: float) -> View | None:
    """A map (C or 1, *spatial) as `likeness` compares it, channels added up; none where it cannot be compared.

    Of correlations the centred ranks or values of unit length, of the overlap each voxel's chance to be among the
    largest: in both cases the likeness of two maps is the product of their views.
    """
    total = values.double().sum(0).numpy()
    if kind in ("spearman", "pearson"):
        return _unit(total, ranks=kind == "spearman")
    sizes = np.abs(total)
    if kind in ("spearman_absolute", "pearson_absolute"):
        return _unit(sizes, ranks=kind == "spearman_absolute")
    if kind == "top_k":
        return _top(sizes, share)
    return (sizes / sizes.max()).astype(np.float32) if sizes.any() else None


def likeness(a: View, b: View, kind: Kind) -> float:
    """Of two views of one kind: 1 for the same map (bar ties among the largest voxels)."""
    if kind == "ssim":
        return _ssim(a, b)
    one, other = a.ravel(), b.ravel()
    runs = range(0, one.size, RUN)
    return sum(float(np.dot(one[i : i + RUN], other[i : i + RUN])) for i in runs)


def _unit(values: NDArray[np.float64], *, ranks: bool) -> View | None:
    if not np.ptp(values) > 0:
        return None
    flat = np.asarray(scipy.stats.rankdata(values)) if ranks else values.ravel() / np.abs(values).max()
    centred = flat - flat.mean()
    length = float(np.linalg.norm(centred))
    return (centred / length).astype(np.float32) if length > 0 else None


def _top(sizes: NDArray[np.float64], share: float) -> View | None:
    if not np.ptp(sizes) > 0:
        return None
    count = max(round(share * sizes.size), 1)
    surely, perhaps, chance = membership(sizes, count)
    chances = surely.astype(np.float32)
    chances[perhaps] = chance
    return chances / np.float32(np.sqrt(count))


def _ssim(a: View, b: View) -> float:
    """Mean structural similarity of |map| / max|map| over cubes, cut to the image where it is thin."""
    kept = tuple(slice(None) if n > 1 else 0 for n in a.shape)
    a, b = a[kept], b[kept]
    width = min(WINDOW, *a.shape)
    width -= 1 - width % 2
    if width < 3:
        return float("nan")
    compare: Callable[..., float] = structural_similarity
    return float(compare(a, b, win_size=width, data_range=1.0))
