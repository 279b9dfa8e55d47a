"""A torso with organs in Hounsfield units, like contrast-enhanced CT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voxplain.case import Case
from voxplain.errors import InputError, suggest
from voxplain.phantom.acquisition import blur, check_amounts, gaussian
from voxplain.phantom.ellipsoid import Ellipsoid, jittered
from voxplain.phantom.grid import make_grid
from voxplain.phantom.waves import Waves, warp

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

ORGAN_CLASSES = (
    "background", "body", "muscle", "ribs", "spine", "lung left", "lung right", "heart", "aorta", "vena cava",
    "liver", "gallbladder", "spleen", "stomach", "kidney left", "kidney right", "bowel",
)  # fmt: skip

# Portal venous phase; "body" is fat.
HOUNSFIELD: Mapping[str, float] = {
    "background": -1000, "body": -95, "muscle": 60, "ribs": 420, "spine": 260, "lung left": -820,
    "lung right": -820, "heart": 150, "aorta": 190, "vena cava": 150, "liver": 110, "gallbladder": 10,
    "spleen": 125, "stomach": 35, "kidney left": 180, "kidney right": 180, "bowel": 45,
}  # fmt: skip

EXTENT = (390.0, 290.0, 400.0)  # mm along R, A, S

# Life-size ellipsoids (mm; R, A, S), in the order in which they are painted: later ones lie in front.
_LUNGS = {
    "lung left": Ellipsoid((-78, -5, 95), (58, 84, 125)),
    "lung right": Ellipsoid((78, -5, 95), (60, 84, 118)),
}
_ORGANS: Mapping[str, tuple[Ellipsoid, ...]] = {
    "heart": (Ellipsoid((-22, 38, 85), (50, 42, 52), (0, 25, 20)),),
    "bowel": (
        Ellipsoid((-15, 40, -130), (105, 42, 62)),
        Ellipsoid((85, 10, -120), (26, 28, 60)),
        Ellipsoid((-95, 0, -110), (24, 26, 64)),
    ),
    "liver": (
        Ellipsoid((82, 12, -2), (68, 78, 62), (0, -12, 0)),
        Ellipsoid((18, 48, 12), (62, 36, 32), (0, 12, -10)),
    ),
    "stomach": (Ellipsoid((-62, 44, -10), (40, 32, 48), (0, 25, 0)),),
    "gallbladder": (Ellipsoid((52, 58, -52), (13, 17, 24), (25, 0, 0)),),
    "spleen": (Ellipsoid((-96, -30, 2), (21, 33, 44), (0, -8, 0)),),
    "kidney left": (Ellipsoid((-68, -48, -78), (25, 25, 48), (0, -12, 0)),),
    "kidney right": (Ellipsoid((68, -50, -92), (25, 25, 48), (0, 12, 0)),),
}
_FIXED_SIZE = ("spleen", "kidney left", "kidney right", "gallbladder")  # overlapped by no other organ


def organs(
    shape: Sequence[int] = (64, 64, 64),
    *,
    seed: int,
    spacing: float | Sequence[float] | None = None,
    orientation: str = "RAS",
    affine: ArrayLike | None = None,
    center: Sequence[float] = (0.0, 0.0, -30.0),
    scale: float | None = None,
    hounsfield: Mapping[str, float] | None = None,
    removed: Sequence[str] = (),
    isodense: Sequence[str] = (),
    irregularity: float = 1.5,
    texture: float = 8.0,
    partial_volume: float = 0.5,
    noise: float = 14.0,
) -> Case:
    """A torso with 14 organs on their proper sides: labels exact, intensities in HU.

    `meta["classes"]` names the labels, `meta["hounsfield"]` their clean values (of those that have one of their
    own), `meta["shapes"]` holds the ellipsoids in RAS mm with exact volumes (true where `irregularity` is 0 and
    the organ lies in the grid), `meta["volumes_mm3"]` the volume of each label as sampled.

    Contrast agent, removed and isodense organs change nothing else: anatomy, texture and noise of a seed stay.
    An isodense organ's image is, bit by bit, that of a person whose organ is removed; the label knows of it.

    Args:
        shape: 2 or 3 numbers of voxels.
        seed: same seed, same bits; moves, turns and resizes the organs.
        spacing: voxel edges (mm); None: a life-size torso fills the grid.
        orientation: where the axes run, e.g. "LPS".
        affine: (4, 4) voxel -> RAS mm, instead of spacing and orientation.
        center: anatomical point (mm; R, A, S) at the grid's centre: chooses the plane in 2-D.
        scale: 1 is life size; None: the torso fits the grid.
        hounsfield: clean values (HU) of classes in place of the usual ones, which are those of the portal venous
            phase: no contrast agent, another phase, contrast agent in the stomach.
        removed: organs that the person does not have; what lies behind them fills their place.
        isodense: organs that cannot be told from what lies behind them.
        irregularity: standard deviation (mm, life size) by which surfaces bend off the ellipsoids.
        texture: standard deviation (HU) of the smooth variation within tissue.
        partial_volume: sigma (voxels) of the point spread, 0 for none.
        noise: standard deviation (HU).

    Raises:
        InputError: for numbers that cannot be, unknown classes, and what is no organ that could be taken out.

    >>> case = organs((32, 24), seed=0)
    >>> int(case.image.min()) < -900, case.meta["classes"][10]
    (True, 'liver')
    """
    check_amounts(irregularity=irregularity, texture=texture, partial_volume=partial_volume, noise=noise)
    contrast = _contrast(hounsfield or {}, isodense)
    _check_organs(removed, isodense)
    grid = make_grid(
        shape,
        spacing=spacing,
        orientation=orientation,
        affine=affine,
        center=center,
        scale=scale,
        extent=EXTENT,
    )
    rng = np.random.default_rng(seed)
    shapes = _person(rng)  # of all organs, whatever is removed: the others stay where they are
    points = grid.points()
    bent = warp(points, rng, irregularity, 60.0)
    shapes = {name: parts for name, parts in shapes.items() if name not in removed}
    label = _paint(bent, shapes)
    seen = _paint(bent, {k: v for k, v in shapes.items() if k not in isodense}) if isodense else label
    values = np.array([contrast.get(name, 0.0) for name in ORGAN_CLASSES], dtype=np.float32)
    clean = values[seen] + _texture(points, seen, texture, rng)
    image = gaussian(blur(clean, partial_volume), noise, rng)
    counts = np.bincount(label.ravel(), minlength=len(ORGAN_CLASSES))
    meta: dict[str, object] = {
        "phantom": "organs",
        "seed": seed,
        "classes": list(ORGAN_CLASSES),
        "units": "HU",
        "parameters": {
            **grid.describe(), "irregularity": irregularity, "texture": texture,
            "partial_volume": partial_volume, "noise": noise,
            "removed": list(removed), "isodense": list(isodense),
        },
        "hounsfield": contrast,
        "shapes": {name: [e.describe(grid) for e in parts] for name, parts in shapes.items()},
        "volumes_mm3" if len(grid.shape) == 3 else "areas_mm2": {
            name: float(n * grid.geometry.voxel_volume) for name, n in zip(ORGAN_CLASSES, counts, strict=True)
        },
    }  # fmt: skip
    return Case(
        id=f"organs-{len(grid.shape)}d-{seed}",
        image=np.ascontiguousarray(image[None], dtype=np.float32),
        geometry=grid.geometry,
        label=label,
        meta=meta,
    )


def _contrast(changed: Mapping[str, float], isodense: Sequence[str]) -> dict[str, float]:
    """Clean value (HU) of every class that has one of its own."""
    for name, value in changed.items():
        if name not in ORGAN_CLASSES:
            raise InputError(f"hounsfield: {name!r} is unknown; {suggest(name, ORGAN_CLASSES)}")
        if not np.isfinite(value):
            raise InputError(
                f"hounsfield: {value!r} of {name!r} is not usable; a finite number (HU) would be"
            )
        if name in isodense:
            raise InputError(
                f"hounsfield: {name!r} is isodense, it has no value of its own; leave one of both out"
            )
    values = {**HOUNSFIELD, **{name: float(value) for name, value in changed.items()}}
    return {name: value for name, value in values.items() if name not in isodense}


def _check_organs(removed: Sequence[str], isodense: Sequence[str]) -> None:
    for option, names in (("removed", removed), ("isodense", isodense)):
        if isinstance(names, str):
            raise InputError(
                f"{option}: found the text {names!r}; a list of organs such as [{names!r}] would do"
            )
        for name in names:
            if name not in _ORGANS:
                raise InputError(f"{option}: {name!r} cannot be; {suggest(name, _ORGANS)}")
    both = sorted(set(removed) & set(isodense))
    if both:
        raise InputError(f"isodense: {both[0]!r} is removed as well; an organ can only be one of both")


def _person(rng: np.random.Generator) -> dict[str, tuple[Ellipsoid, ...]]:
    """Every organ's ellipsoids, a little different in each person."""
    shapes: dict[str, tuple[Ellipsoid, ...]] = {}
    for name, parts in {**{k: (v,) for k, v in _LUNGS.items()}, **_ORGANS}.items():
        calm = name in _FIXED_SIZE  # these must not grow into each other: their volumes are exact
        shift, size, turn = (2.0, 0.05, 4.0) if calm else (4.0, 0.08, 6.0)
        shapes[name] = tuple(jittered(part, rng, shift=shift, size=size, turn=turn) for part in parts)
    return shapes


def _paint(points: Floats, shapes: Mapping[str, tuple[Ellipsoid, ...]]) -> NDArray[np.int32]:
    index = {name: np.int32(i) for i, name in enumerate(ORGAN_CLASSES)}
    label = np.zeros(points.shape[1:], dtype=np.int32)
    x, y, z = points
    skin = _cylinder(points, 178, 128)
    label[skin <= 1] = index["body"]
    wall = _cylinder(points, 156, 108)
    label[wall <= 1] = index["muscle"]
    cavity = (_cylinder(points, 139, 91) <= 1) & ~(np.hypot(x / 48, (y + 85) / 46) <= 1)
    label[cavity] = index["body"]
    for name in _LUNGS:
        label[_union(shapes[name], points) & cavity] = index[name]
    label[(np.hypot(x / 42, (y + 5) / 72) <= 1) & (z > 0) & cavity] = index["muscle"]  # mediastinum
    # The diaphragm: below its dome there is abdomen, not lung.
    below = (
        cavity
        & (z < 62 - 0.006 * (x**2 / 2 + y**2))
        & np.isin(label, [index["lung left"], index["lung right"]])
    )
    label[below] = index["body"]
    for name in (organ for organ in _ORGANS if organ in shapes):
        label[_union(shapes[name], points) & cavity] = index[name]
    label[_ribs(points)] = index["ribs"]
    label[_spine(points)] = index["spine"]
    label[np.hypot(x + 12, y + 36) <= 11] = index["aorta"]
    label[np.hypot(x - 16, y + 34) <= 11.5] = index["vena cava"]
    return label


def _cylinder(points: Floats, a: float, b: float) -> Floats:
    """Super-elliptic cylinder along S (exponent 2.4, boxier than an ellipse): at most 1 inside."""
    return np.asarray(np.abs(points[0] / a) ** 2.4 + np.abs(points[1] / b) ** 2.4)


def _union(parts: tuple[Ellipsoid, ...], points: Floats) -> Mask:
    return np.asarray(np.logical_or.reduce([part.inside(points) for part in parts]))


def _ribs(points: Floats) -> Mask:
    """Rings in the chest wall that descend towards the front, open at the breastbone."""
    x, y, z = points
    shell = np.abs(_cylinder(points, 147, 99) - 1) < 0.13
    descent = z + 0.28 * (y + 99)
    return np.asarray(
        shell & (np.cos(2 * np.pi * descent / 32) > 0.55) & (descent > 22) & ~((y > 0) & (np.abs(x) < 16))
    )


def _spine(points: Floats) -> Mask:
    """Vertebral bodies with discs between them, arches around the canal, and spinous processes."""
    x, y, z = points
    vertebra = np.cos(2 * np.pi * z / 34) > -0.82
    body = (np.hypot(x / 21, (y + 64) / 16) <= 1) & vertebra
    ring = np.hypot(x / 16, (y + 86) / 13)
    arch = (ring <= 1) & (ring > 0.62) & (y < -78) & (np.cos(2 * np.pi * z / 34) > -0.2)
    process = (np.abs(x) < 4.5) & (y < -98) & (y > -120) & (np.cos(2 * np.pi * z / 34) > 0.1)
    transverse = (
        (np.abs(y + 84) < 5) & (np.abs(x) < 38) & (np.abs(x) > 14) & (np.cos(2 * np.pi * z / 34) > 0.5)
    )
    return np.asarray(body | arch | process | transverse)


def _texture(points: Floats, label: NDArray[np.int32], amount: float, rng: np.random.Generator) -> Floats:
    """Smooth variation in tissue; bowel has more, air has none."""
    fine, coarse = Waves.draw(rng, 14.0, 24), Waves.draw(rng, 45.0, 12)
    if amount == 0:
        return np.zeros(label.shape, dtype=np.float32)
    gain = np.ones(len(ORGAN_CLASSES), dtype=np.float32)
    gain[ORGAN_CLASSES.index("background")] = 0
    gain[ORGAN_CLASSES.index("bowel")] = 4
    for bony in ("ribs", "spine"):
        gain[ORGAN_CLASSES.index(bony)] = 5
    return np.float32(amount * 0.7) * gain[label] * (fine(points) + coarse(points))
