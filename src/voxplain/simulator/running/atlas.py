"""The regions whose volumes are told, on the grid of each image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxplain.case import Case, Geometry, read_mask
from voxplain.case.label_names import label_names
from voxplain.errors import InputError
from voxplain.inherent.data import Reader, Sample
from voxplain.simulator.field import RegionChange, volume_changes
from voxplain.simulator.field.volumes import told_apart
from voxplain.simulator.running.home import Floats
from voxplain.simulator.settings.config import AtlasSettings

COLUMN = "atlas"
WITHOUT = (
    f"New images have no regions: labels come by the table's column {COLUMN}; "
    "explain.atlas.source names a file for all."
)
Labels = NDArray[np.int32]


class Atlas:
    """Reads the labels of each image.

    Args:
        asked: one file for all, or the table's column.
        folder: that paths of the column are relative to.
    """

    def __init__(self, asked: AtlasSettings, folder: Path) -> None:
        self._asked, self._folder = asked, folder

    def __call__(self, sample: Sample, reader: Reader) -> Labels:
        """(*case spatial) labels.

        Raises:
            InputError: no atlas for this image.
            GeometryError: one that is on another grid.
        """
        whole = reader.case(replace(sample, slice=None))
        labels = read_mask(self.file(sample), whole)
        if sample.slice is None:
            return labels
        axis, index = sample.slice
        return labels.take([index], axis)

    def names(self, sample: Sample) -> Mapping[int, str]:
        """Of labels, as the settings give them, else as the file does."""
        return told_apart({**label_names(self.file(sample)), **self._asked.names})

    def file(self, sample: Sample) -> Path:
        """Where the labels of an image are.

        Raises:
            InputError: nothing says so.
        """
        if self._asked.source is not None:
            return self._asked.source
        told = sample.meta.get(COLUMN)
        if not told:
            raise InputError(
                f"explain.atlas: no source, and {sample.id} has nothing in the column {COLUMN}; give either"
            )
        return self._folder / str(told)


def atlas_of(asked: AtlasSettings | None, folder: Path, *, new: bool) -> Atlas | None:
    """What reads labels; None where nobody asks for any, or of new images, where only the table would know them."""
    if asked is None or (new and asked.source is None):
        return None
    return Atlas(asked, folder)


def changes(
    jacobian: Floats, labels: Labels, case: Case, names: Mapping[int, str]
) -> tuple[RegionChange, ...]:
    """Volumes before and after; in voxels where no geometry is known.

    Args:
        jacobian: (*case spatial) of the forward map.
        labels: of the same shape.
        case: whose grid it is.
        names: of labels.
    """
    if case.geometry is not None:
        return volume_changes(jacobian, labels, case.geometry, names)
    found = volume_changes(jacobian, labels, Geometry(np.eye(4), tuple(case.spatial_shape)), names)
    scale = 1000.0 if found[0].unit == "ml" else 1.0
    return tuple(replace(r, before=scale * r.before, after=scale * r.after, unit="voxels") for r in found)
