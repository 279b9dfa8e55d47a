"""Slices and volumes of heads, healthy or with one of three tumours, that brightness does not tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from voxplain.case import Case
from voxplain.errors import InputError, suggest
from voxplain.phantom.acquisition import bias_field, blur, rician
from voxplain.phantom.brain import CONTRASTS
from voxplain.phantom.grid import Grid, make_grid
from voxplain.phantom.head import BRAIN_CLASSES
from voxplain.phantom.tumour_patient import PLACES, SITES, TUMOUR_CLASSES, Patient, assigned, draw_patient
from voxplain.phantom.tumour_patterns import FINEST_MM, PATTERNS, handed_out
from voxplain.phantom.waves import Waves

Floats = NDArray[np.float32]
Labels = NDArray[np.int32]

TUMOUR_LABELS = (*BRAIN_CLASSES, "decoy")
FIELD_OF_VIEW = (187.0, 214.0, 53.0)  # mm along R, A, S: a head, and the height of the masses

_REACH = 8.0  # mm: how far a patient's slices lie from the plane of the masses
_GOLDEN = (np.sqrt(5) - 1) / 2
_FAT = 950.0  # of the scalp: as bright as the masses, as fat is
_TEXTURE = 12.0  # standard deviation of the smooth variation within healthy tissue
_POINT_SPREAD = 0.5  # voxels
_UNIT = 1000.0  # what gamma leaves as it is


def tumours(
    shape: Sequence[int] = (56, 64),
    *,
    seed: int,
    patient: int = 0,
    slice: int = 0,
    kind: str | None = None,
    site: str | None = None,
    spacing: float | Sequence[float] | None = None,
) -> Case:
    """An axial T1-like image with contrast agent, of a patient who is healthy or has one of three tumours.

    Every patient has three bright masses of about 5 cm, whatever the class: a deep oval one, a lobulated one at the
    surface, and a round one at the base. In healthy patients all three are decoys, with a smooth inside. In the others
    one of them is a tumour: "ring" (deep; a bright rim around a dark core), "striped" (at the surface) or "granular" (at
    the base; fine grains, homogeneous from afar). Inside, a tumour has the same values as the decoy that a healthy twin
    has there, in another order, and nothing else differs. Brightness, its histogram, and the number, place, size and
    outline of the masses therefore tell neither the class nor the tumour; the order does, and which place it is at.

    The image depends on (seed, patient, slice, kind, site) and the grid alone. Images of one patient share anatomy,
    masses, patterns and receive field: a split that does not keep patients whole leaks.

    Args:
        shape: 2 or 3 numbers of voxels (R, A and in 3-D S).
        seed: of the whole data set.
        patient: number of the patient, from 0.
        slice: number of the image of that patient, from 0: planes lie up to 8 mm above or below that of the masses'
            centres, the first in it, and each has its own noise. Volumes are shifted by as much.
        kind: one of TUMOUR_CLASSES; None draws it, as often each.
        site: where the patient was imaged, "north", "south" or "west": receive field, noise, gamma and gain. None draws
            it, independently of the class.
        spacing: voxel edges (mm), one number or one per axis; None: squares, such that 187 × 214 mm fit the grid, and
            in 3-D slices that fill 53 mm. The anatomy is always life-size.

    Returns:
        A case with one channel. Its label names tissues by TUMOUR_LABELS: "lesion" is the tumour, "decoy" what is not.
        `meta["class"]` and `meta["site"]` say the class and the site, `meta["masses"]` the ellipsoids of each mass (RAS
        mm), whose union, as far as it lies within the skull, is the mass.

    Raises:
        InputError: for numbers that cannot be, unknown classes and sites, and voxels too coarse for the stripes and
            grains.

    >>> case = tumours((42, 48), seed=0, patient=3, kind="ring")
    >>> case.image.shape, case.meta["class"], bool((case.label == TUMOUR_LABELS.index("lesion")).any())
    ((1, 42, 48), 'ring', True)
    """
    _check(seed=seed, patient=patient, slice=slice)
    drawn = assigned(seed, patient)
    kind = _known("kind", kind or drawn[0], TUMOUR_CLASSES)
    site = _known("site", site or drawn[1], tuple(SITES))
    person = draw_patient(seed, patient)
    grid = _grid(shape, spacing, person.level + _offset(slice))
    points = grid.points()
    label = person.head.label(points)
    clean = _tissue(points, label, seed, patient)
    room = ~np.isin(label, [BRAIN_CLASSES.index(name) for name in ("background", "scalp", "skull")])
    for number, (place, mass) in enumerate(person.masses.items()):
        ill = PLACES.get(kind) == place
        where = mass.inside(points) & room
        pattern = PATTERNS[kind if ill else "smooth"](
            mass, np.random.default_rng([seed, 3, patient, number, ill])
        )
        clean[where] = handed_out(pattern(points[:, where]), *person.values[place])
        label[where] = TUMOUR_LABELS.index("lesion" if ill else "decoy")
    return Case(
        id=f"patient-{patient:04d}-{slice:02d}",
        image=_scan(grid, points, clean, site, (seed, patient, slice))[None],
        geometry=grid.geometry,
        label=label,
        meta=_meta(grid, person, (seed, patient, slice), kind, site),
    )


def _offset(slice: int) -> float:
    """Height (mm) of a slice above the plane of the masses: 0 first, then spread out evenly however many follow."""
    return float(_REACH * (2 * ((0.5 + slice * _GOLDEN) % 1) - 1))


def _grid(shape: Sequence[int], spacing: float | Sequence[float] | None, height: float) -> Grid:
    if spacing is None and len(shape) in (2, 3) and min(shape) > 0:
        edge = max(width / n for width, n in zip(FIELD_OF_VIEW[:2], shape[:2], strict=True))
        spacing = [edge, edge, *(FIELD_OF_VIEW[2] / n for n in shape[2:])]
    grid = make_grid(shape, spacing=spacing, center=(0.0, -4.0, height), scale=1.0)
    coarsest = max(grid.geometry.spacing[:2])
    if coarsest > FINEST_MM / 2:
        raise InputError(
            f"spacing: {coarsest:.2f} mm in the axial plane is too coarse for grains of {FINEST_MM:g} mm; "
            f"at most {FINEST_MM / 2:g} mm, e.g. a shape of (42, 48) or more"
        )
    return grid


def _tissue(points: Floats, label: Labels, seed: int, patient: int) -> Floats:
    """The head (*S) without its masses."""
    values = np.asarray(CONTRASTS["T1"], dtype=np.float32)
    values[BRAIN_CLASSES.index("scalp")] = _FAT
    values = values[label]
    field = Waves.draw(np.random.default_rng([seed, 4, patient]), 18.0, 16)
    return blur(np.where(label > 0, values + np.float32(_TEXTURE) * field(points), values), _POINT_SPREAD)


def _scan(grid: Grid, points: Floats, clean: Floats, site: str, key: tuple[int, int, int]) -> Floats:
    """What a site's scanner makes of it; the receive field is the patient's, the noise the image's."""
    scanner, (seed, patient, slice) = SITES[site], key
    field = bias_field(grid, points, scanner.bias, np.random.default_rng([seed, 5, patient]))
    noisy = rician(field * clean, scanner.noise, np.random.default_rng([seed, 6, patient, slice]))
    return np.asarray(scanner.gain * _UNIT * (noisy / _UNIT) ** scanner.gamma, dtype=np.float32)


def _meta(grid: Grid, person: Patient, key: tuple[int, int, int], kind: str, site: str) -> dict[str, object]:
    seed, patient, slice = key
    return {
        "phantom": "tumours",
        "seed": seed,
        "patient": patient,
        "slice": slice,
        "class": kind,
        "site": site,
        "classes": list(TUMOUR_LABELS),
        "parameters": {**grid.describe(), **asdict(SITES[site])},
        "place": PLACES.get(kind),
        "masses": {place: [e.describe(grid) for e in m.parts] for place, m in person.masses.items()},
    }


def _known(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise InputError(f"{name}: {value!r} is unknown; {suggest(value, known)}")
    return value


def _check(**numbers: int) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
            raise InputError(f"{name}: {value!r} is no such number; 0, 1, 2, … would be")
