"""Coded terms: SNOMED where the name of a class is known for sure, a scheme of our own for everything else."""

from __future__ import annotations

import hashlib
import re
from typing import Any, NamedTuple

from voxplain.report.dicom.content import short

SCHEME = "99VOXPLAIN"

# Names as networks have them, folded; the values are keywords of pydicom's dictionary. Words with several meanings, such as
# ventricle, are left out.
_ORGANS = {
    "liver": "Liver",
    "spleen": "Spleen",
    "kidney": "Kidney",
    "gallbladder": "Gallbladder",
    "stomach": "Stomach",
    "pancreas": "Pancreas",
    "brain": "Brain",
    "heart": "Heart",
    "lung": "Lung",
    "aorta": "Aorta",
    "inferior vena cava": "InferiorVenaCava",
    "esophagus": "Esophagus",
    "prostate": "Prostate",
    "uterus": "Uterus",
    "colon": "Colon",
    "duodenum": "Duodenum",
    "small intestine": "SmallIntestine",
    "small bowel": "SmallIntestine",
    "adrenal gland": "AdrenalGland",
    "trachea": "Trachea",
    "spinal cord": "SpinalCord",
    "hippocampus": "Hippocampus",
    "thalamus": "Thalamus",
    "putamen": "Putamen",
    "amygdala": "Amygdala",
    "cerebellum": "Cerebellum",
    "brain stem": "BrainStem",
    "brainstem": "BrainStem",
    "lateral ventricle": "LateralVentricle",
}
_FINDINGS = {
    "lesion": "Lesion",
    "tumor": "Neoplasm",
    "tumour": "Neoplasm",
    "neoplasm": "Neoplasm",
    "nodule": "Nodule",
}


class Term(NamedTuple):
    """What a segment shows: its category, its type, and the side where the name says one."""

    category: Any
    kind: Any
    side: Any | None
    known: bool


def term(name: str) -> Term:
    """The coded term of a class.

    >>> term("kidney_left").kind.meaning, term("kidney_left").side.meaning
    ('Kidney', 'Left')
    >>> term("class 3").kind.scheme_designator
    '99VOXPLAIN'
    """
    from pydicom.sr.codedict import codes

    words = [w for w in re.split(r"[^a-z0-9]+", name.casefold()) if w]
    sides = [w for w in words if w in ("left", "right")]
    plain = " ".join(w for w in words if w not in ("left", "right"))
    if plain in _ORGANS and len(sides) < 2:
        side = getattr(codes.SCT, sides[0].capitalize()) if sides else None
        return Term(codes.SCT.AnatomicalStructure, getattr(codes.SCT, _ORGANS[plain]), side, known=True)
    if plain in _FINDINGS and not sides:
        category = codes.SCT.MorphologicallyAbnormalStructure
        return Term(category, getattr(codes.SCT, _FINDINGS[plain]), None, known=True)
    return Term(private("class of a segmentation network"), private(name), None, known=False)


def private(meaning: str) -> Any:
    """A code of our own; its value is a hash of the meaning, so that it is the same everywhere."""
    from highdicom.sr import CodedConcept

    value = hashlib.sha256(meaning.encode()).hexdigest()[:12].upper()
    return CodedConcept(value, SCHEME, short(meaning) or "unnamed")


def scheme() -> Any:
    """What our own scheme is, for whoever meets its codes."""
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    return CodingSchemeIdentificationItem(
        designator=SCHEME, name="voxplain, private codes", responsible_organization="The voxplain developers"
    )
