"""Explanations as DICOM objects that refer to the series that the image came from.

>>> from voxplain.report.dicom import Origin, Segment, VoxelMap, read_source, write_dicom
>>> source = read_source("series/")  # doctest: +SKIP
>>> write_dicom("out/", source, [VoxelMap(values, geometry, "gradient", "liver")], [], origin)  # doctest: +SKIP
"""

from voxplain.report.dicom.content import BANNER, Origin, Segment, VoxelMap
from voxplain.report.dicom.source import Source, read_source
from voxplain.report.dicom.write import KINDS, write_dicom

__all__ = ["BANNER", "KINDS", "Origin", "Segment", "Source", "VoxelMap", "read_source", "write_dicom"]
