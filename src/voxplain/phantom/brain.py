"""A head with a folded cortex, like T1-weighted or FLAIR MRI, with lesions or atrophy on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voxplain.case import Case
from voxplain.errors import InputError, suggest
from voxplain.phantom.acquisition import bias_field, blur, check_amounts, rician
from voxplain.phantom.ellipsoid import Ellipsoid
from voxplain.phantom.grid import Grid, make_grid
from voxplain.phantom.head import BRAIN_CLASSES, EXTENT, REGIONS, Head, draw_head
from voxplain.phantom.waves import Waves

Floats = NDArray[np.float32]

Contrast = str | Mapping[str, float]

# Intensity per class, in the order of BRAIN_CLASSES (arbitrary units).
CONTRASTS: Mapping[str, tuple[float, ...]] = {
    "T1": (0, 780, 90, 160, 480, 760, 150, 480, 480, 430),
    "FLAIR": (0, 700, 60, 110, 560, 440, 90, 580, 580, 880),
    "T2": (0, 520, 60, 950, 520, 340, 950, 540, 540, 760),
}


def brain(
    shape: Sequence[int] = (64, 64, 64),
    *,
    seed: int,
    spacing: float | Sequence[float] | None = None,
    orientation: str = "RAS",
    affine: ArrayLike | None = None,
    center: Sequence[float] = (0.0, -4.0, 4.0),
    scale: float | None = None,
    contrast: Contrast | Sequence[Contrast] = "T1",
    skull: bool = True,
    lesions: int = 0,
    lesion_radius: tuple[float, float] = (2.5, 6.0),
    atrophy: float = 0.0,
    region: str = "hippocampus",
    texture: float = 15.0,
    partial_volume: float = 0.5,
    noise: float = 20.0,
    bias: float = 0.12,
) -> Case:
    """A head whose tissue borders are known functions of position, so that the label is exact.

    Atrophy leaves everything else as it is: with dose d the hippocampi keep 1 − d/2 of their volume
    (fluid takes the room), the ventricles grow to 1 + 1.5 d of it, and the cortex loses 1.4 d mm from
    outside. `meta["regions"]` holds the ellipsoids of hippocampi, ventricles and lesions in RAS mm with
    their exact volumes, `meta["volumes_mm3"]` the volume of each label as sampled.

    Args:
        shape: 2 or 3 numbers of voxels.
        seed: same seed, same bits; every seed has its own folds.
        spacing: voxel edges (mm); None: a life-size head fills the grid.
        orientation: where the axes run, e.g. "LIA".
        affine: (4, 4) voxel -> RAS mm, instead of spacing and orientation.
        center: anatomical point (mm; R, A, S) at the grid's centre: chooses the plane in 2-D.
        scale: 1 is life size; None: the head fits the grid.
        contrast: "T1", "FLAIR", "T2", "random", or an intensity per class name (0 where left out);
            several make several channels.
        skull: with scalp and skull, or the brain alone.
        lesions: number of white-matter lesions.
        lesion_radius: smallest and largest mean radius (mm, life size).
        atrophy: dose from 0 (none) to 1.
        region: what shrinks: "hippocampus", "hippocampus left", "hippocampus right", "cortex", or
            "ventricles", which grow.
        texture: standard deviation of the smooth variation within tissue.
        partial_volume: sigma (voxels) of the point spread, 0 for none.
        noise: sigma of the Rician noise.
        bias: standard deviation of the logarithm of the receive field.

    Raises:
        InputError: for numbers that cannot be, an unknown contrast or region, or lesions or atrophy
            that the image does not show.

    >>> case = brain((32, 32), seed=0, contrast=("T1", "FLAIR"))
    >>> case.image.shape, case.meta["classes"][4]
    ((2, 32, 32), 'grey matter')
    """
    check_amounts(texture=texture, partial_volume=partial_volume, noise=noise, bias=bias)
    contrasts = (contrast,) if isinstance(contrast, (str, Mapping)) else tuple(contrast)
    _check(contrasts, atrophy, region, lesions, lesion_radius)
    grid = make_grid(
        shape,
        spacing=spacing,
        orientation=orientation,
        affine=affine,
        center=center,
        scale=scale,
        extent=EXTENT,
    )
    head = draw_head(np.random.default_rng([seed, 0])).with_atrophy(region, atrophy)
    rng = np.random.default_rng([seed, 1])  # its own stream: atrophy and lesions leave noise and bias alone
    points = grid.points()
    label = head.label(points, skull=skull)
    spots = _lesions(grid, head, lesions, lesion_radius, np.random.default_rng([seed, 2]))
    white = label == BRAIN_CLASSES.index("white matter")
    for spot in spots:
        label[white & spot.inside(points)] = BRAIN_CLASSES.index("lesion")
    if atrophy > 0:
        _check_visible(grid, head, label, region)
    scanner = _Scanner(texture, partial_volume, noise, bias)
    channels = [scanner.image(grid, points, label, c, rng) for c in contrasts]
    counts = np.bincount(label.ravel(), minlength=len(BRAIN_CLASSES))
    meta: dict[str, object] = {
        "phantom": "brain",
        "seed": seed,
        "classes": list(BRAIN_CLASSES),
        "channels": [c if isinstance(c, str) else "custom" for c in contrasts],
        "parameters": {
            **grid.describe(), "skull": skull, "lesions": lesions,
            "lesion_radius_mm": [float(r) * grid.scale for r in lesion_radius], "atrophy": float(atrophy),
            "region": region, **asdict(scanner),
        },
        "regions": {
            **{name: [e.describe(grid) for e in parts] for name, parts in head.regions().items()},
            "lesion": [spot.describe(grid) for spot in spots],
        },
        "volumes_mm3" if len(grid.shape) == 3 else "areas_mm2": {
            name: float(n * grid.geometry.voxel_volume) for name, n in zip(BRAIN_CLASSES, counts, strict=True)
        },
    }  # fmt: skip
    return Case(
        id=f"brain-{len(grid.shape)}d-{seed}",
        image=np.ascontiguousarray(np.stack(channels), dtype=np.float32),
        geometry=grid.geometry,
        label=label,
        meta=meta,
    )


def _check(
    contrasts: tuple[Contrast, ...], atrophy: float, region: str, lesions: int, radius: tuple[float, float]
) -> None:
    for contrast in contrasts or ("",):
        known = (*CONTRASTS, "random") if isinstance(contrast, str) else BRAIN_CLASSES
        for name in (contrast,) if isinstance(contrast, str) else contrast:
            if name not in known:
                raise InputError(f"contrast: {name!r} is unknown; {suggest(name, known)}")
    if region not in REGIONS:
        raise InputError(f"region: {region!r} is unknown; {suggest(region, REGIONS)}")
    if not 0 <= atrophy <= 1:
        raise InputError(f"atrophy: {atrophy!r} is no dose; a number from 0 (none) to 1 would be")
    if int(lesions) != lesions or lesions < 0:
        raise InputError(f"lesions: {lesions!r} is no number of lesions; 0, 1, 2, … would be")
    if len(radius) != 2 or not 0 < radius[0] <= radius[1] < np.inf:
        raise InputError(f"lesion_radius: {radius} mm is not usable; 0 < smallest <= largest would be")


def _check_visible(grid: Grid, head: Head, label: NDArray[np.int32], region: str) -> None:
    names = ["grey matter"] if region == "cortex" else [n for n in BRAIN_CLASSES if n.startswith(region)]
    if not np.isin(label, [BRAIN_CLASSES.index(name) for name in names]).any():
        where = head.regions().get(names[0])
        hint = f"; center={tuple(round(c) for c in where[0].center)} would show it" if where else ""
        raise InputError(f"atrophy: {region} lies outside this image of shape {grid.shape}{hint}")


@dataclass(frozen=True)
class _Scanner:
    texture: float
    partial_volume: float
    noise: float
    bias: float

    def image(
        self,
        grid: Grid,
        points: Floats,
        label: NDArray[np.int32],
        contrast: Contrast,
        rng: np.random.Generator,
    ) -> Floats:
        """One channel (*S) of the label in one contrast."""
        values = _values(contrast, rng)
        clean = values[label] + _texture(points, label, self.texture, rng)
        return rician(
            bias_field(grid, points, self.bias, rng) * blur(clean, self.partial_volume), self.noise, rng
        )


def _values(contrast: Contrast, rng: np.random.Generator) -> Floats:
    """Intensity of each class."""
    drawn = rng.uniform(100, 900, len(BRAIN_CLASSES))  # drawn for every contrast: same noise whatever it is
    drawn[0] = 0
    if isinstance(contrast, str):
        return np.asarray(CONTRASTS.get(contrast, drawn), dtype=np.float32)
    return np.array([contrast.get(name, 0.0) for name in BRAIN_CLASSES], dtype=np.float32)


def _texture(points: Floats, label: NDArray[np.int32], amount: float, rng: np.random.Generator) -> Floats:
    field = Waves.draw(rng, 18.0, 16)
    if amount == 0:
        return np.zeros(label.shape, dtype=np.float32)
    return np.where(label > 0, np.float32(amount) * field(points), np.float32(0))


def _lesions(
    grid: Grid, head: Head, count: int, radius: tuple[float, float], rng: np.random.Generator
) -> list[Ellipsoid]:
    """Ellipsoids centred in the white matter that the image shows, most of them near the ventricles."""
    if not count:
        return []
    tries = np.zeros((3, 4000))
    tries[: len(grid.shape)] = rng.uniform(0, 1, (len(grid.shape), 4000)) * (
        np.array(grid.shape)[:, None] - 1
    )
    centers = grid.anatomy(tries).astype(np.float32)
    white = head.label(centers) == BRAIN_CLASSES.index("white matter")
    depth = np.max([e.depth(centers) for e in head.regions()["ventricles"]], axis=0)
    chosen = centers[:, white & (rng.uniform(size=white.size) < np.exp(depth / 12))][:, :count]
    if chosen.shape[1] < count:
        raise InputError(
            f"lesions: {count} asked for, but this image shows room for {chosen.shape[1]}; "
            "fewer, or a center and scale with more white matter, would work"
        )
    axes = rng.uniform(*radius, size=(count, 1)) * rng.uniform(0.7, 1.35, size=(count, 3))
    turns = rng.uniform(-90, 90, size=(count, 3))
    return [
        Ellipsoid(_triple(center), _triple(axis), _triple(turn))
        for center, axis, turn in zip(chosen.T, axes, turns, strict=True)
    ]


def _triple(values: NDArray[np.floating]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z
