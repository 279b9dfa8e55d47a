"""What is explained: cases, their geometry, and the readers and writers of their files."""

from __future__ import annotations

from voxplain.case.case import Case
from voxplain.case.geometry import Geometry, to_axes_of, to_canonical
from voxplain.case.read import read_case, read_mask
from voxplain.case.slicing import parse_slice, take_slice
from voxplain.case.write import write_array, write_case

__all__ = [
    "Case",
    "Geometry",
    "parse_slice",
    "read_case",
    "read_mask",
    "take_slice",
    "to_axes_of",
    "to_canonical",
    "write_array",
    "write_case",
]
