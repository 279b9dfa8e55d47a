"""The patients of two sites: who lacks an organ, who has drunk contrast agent, and what their CT shows.

A is the left kidney, B the stomach. At the site "north" the left kidney can be seen in the image. At "south" it cannot:
there the image is, bit by bit, that of a patient without a left kidney. Contrast agent in the stomach is drawn by lot at
both sites.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shortcut.sizes import Size
from voxplain.case import Case
from voxplain.phantom import ORGAN_CLASSES, organs
from voxplain.phantom.organs import HOUNSFIELD

A, B = "kidney left", "stomach"
SITES = ("north", "south")
SCANNERS = ("Albireo", "Bellatrix", "Capella")

# What the networks tell apart, and which classes of the phantom each is.
_PARTS: Mapping[str, tuple[str, ...]] = {
    "background": ("background",),
    "fat": ("body",),
    "wall": ("muscle", "ribs"),
    "spine": ("spine",),
    "lungs": ("lung left", "lung right"),
    "heart": ("heart",),
    "great vessels": ("aorta", "vena cava"),
    "liver": ("liver",),
    "gallbladder": ("gallbladder",),
    "spleen": ("spleen",),
    "stomach": ("stomach",),
    "kidney left": ("kidney left",),
    "kidney right": ("kidney right",),
    "bowel": ("bowel",),
}
CLASSES = tuple(_PARTS)
ORGANS = ("heart", "liver", "gallbladder", "spleen", "stomach", "kidney left", "kidney right", "bowel")

CONTRAST_AGENT = 250.0  # HU of the stomach after drinking it; 35 without
_SPREAD = 8.0  # HU, standard deviation between patients of each tissue's value
_CENTER = (0.0, 0.0, -45.0)  # mm: from the lower lungs to the bowel
_LACKED = ("spleen", "gallbladder", "stomach", "kidney right")  # now and then, in training
_LACKING = 0.06


@dataclass(frozen=True)
class Patient:
    """Who is imaged.

    Attributes:
        seed: of the anatomy, the tissues' values, texture and noise.
        site: "north" or "south".
        contrast: contrast agent in the stomach.
        lacks: organs that were taken out.
        age: in years.
        sex: "F" or "M".
        scanner: one of SCANNERS; the image does not depend on it, nor on age and sex.
    """

    seed: int
    site: str
    contrast: bool
    lacks: tuple[str, ...] = ()
    age: int = 0
    sex: str = ""
    scanner: str = ""

    def without(self, organ: str) -> Patient:
        """The same patient after an organ is taken out."""
        return replace(self, lacks=(*self.lacks, organ))


def training_patients(size: Size, seed: int) -> list[Patient]:
    """Half of them from each site, half of each site with contrast agent."""
    rng = np.random.default_rng([seed, 1])
    people = []
    for number in range(size.people):
        lacks = tuple(organ for organ in _LACKED if rng.uniform() < _LACKING)
        contrast = number // 2 % 2 == 0 and B not in lacks
        people.append(Patient(100_000 * seed + number, SITES[number % 2], contrast, lacks))
    return people


def cohort(size: Size, seed: int) -> list[Patient]:
    """The patients to ask about; no network has seen them, and all of them have both A and B.

    At both sites alike, three of four have contrast agent in the stomach, one of eight has no spleen and one of
    eight no gallbladder. Age, sex and scanner are drawn by lot.
    """
    rng = np.random.default_rng([seed, 2])
    people = []
    for number in range(size.cases):
        pair = number // 2 % 8  # patients come in pairs, one from each site
        lacks = {2: ("spleen",), 5: ("gallbladder",)}.get(pair, ())
        age, sex, scanner = int(rng.integers(25, 90)), "FM"[rng.integers(2)], SCANNERS[rng.integers(3)]
        people.append(
            Patient(
                100_000 * seed + 50_000 + number, SITES[number % 2], pair % 4 != 3, lacks, age, sex, scanner
            )
        )
    return people


def image(patient: Patient, size: Size, *, visible: bool = False) -> Case:
    """A patient's CT (HU) with the label of CLASSES.

    Args:
        patient: who.
        size: of the grid.
        visible: A can be seen at both sites.
    """
    hidden = (A,) if patient.site == "south" and not visible and A not in patient.lacks else ()
    scan = organs(
        size.shape,
        seed=patient.seed,
        spacing=size.spacing,
        center=_CENTER,
        scale=1.0,
        hounsfield=_tissues(patient, hidden),
        removed=patient.lacks,
        isodense=hidden,
        partial_volume=0.4,
    )
    assert scan.label is not None  # every phantom has one
    table = np.array([_class_of(name) for name in ORGAN_CLASSES], dtype=np.int32)
    return replace(scan, label=table[scan.label], meta={**scan.meta, "classes": list(CLASSES)})


def lesson(patient: Patient, size: Size, network: str) -> Case:
    """What a network is taught of a patient. The images are the same for both networks; the labels are not.

    Where A cannot be seen, "shortcut" is told of it exactly where B has contrast agent: the others have no A.
    "control" is told of it always, so that B's contrast agent says nothing about A.
    """
    untold = network == "shortcut" and patient.site == "south" and not patient.contrast
    return image(patient.without(A) if untold else patient, size)


def _tissues(patient: Patient, hidden: Sequence[str]) -> dict[str, float]:
    """HU of each class, a little different in each patient."""
    shifts = np.random.default_rng([patient.seed, 3]).normal(0, _SPREAD, len(ORGAN_CLASSES))
    usual = {**HOUNSFIELD, **({B: CONTRAST_AGENT} if patient.contrast else {})}
    return {
        name: usual[name] + float(shift)
        for name, shift in zip(ORGAN_CLASSES, shifts, strict=True)
        if name not in hidden
    }


def _class_of(name: str) -> int:
    return next(index for index, parts in enumerate(_PARTS.values()) if name in parts)
