"""Cases for the viewer whose truth is known, and a reader of packed volumes that shares no code with the writer."""

from __future__ import annotations

import base64
import json
import re
import zlib

import nibabel as nib
import numpy as np

from voxplain.case import Geometry
from voxplain.report.viewer import ShownCase, ShownLabels, ShownMap, ShownTarget

SHAPE = (6, 8, 7)
AFFINE = np.array([[2.0, 0, 0, -11], [0, 1.5, 0, -20], [0, 0, 3.0, 5], [0, 0, 0, 1]])
CORNER = (0, 7, 6)  # left, anterior, superior in RAS


def marked() -> np.ndarray:
    """A RAS volume with one bright voxel, the one furthest to the left, the front and the top."""
    values = np.zeros(SHAPE, np.float32)
    values[CORNER] = 1.0
    return values


def reoriented(values: np.ndarray, axes: str, affine: np.ndarray = AFFINE) -> tuple[np.ndarray, Geometry]:
    """The same volume as a file of other axes has it; by nibabel."""
    ornt = nib.orientations
    transform = ornt.ornt_transform(ornt.axcodes2ornt("RAS"), ornt.axcodes2ornt(axes))
    turned = ornt.apply_orientation(values, transform)
    return turned, Geometry(affine @ ornt.inv_ornt_aff(transform, values.shape), turned.shape)


def oblique() -> np.ndarray:
    """The affine of a grid that is turned by 20° about the axis from foot to head."""
    angle = np.radians(20)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn @ AFFINE


def case(axes: str = "RAS", name: str = "", affine: np.ndarray = AFFINE) -> ShownCase:
    """The marked volume, two maps, and a label, as a file with these axes has them."""
    image, geometry = reoriented(marked(), axes, affine)
    ramp = np.linspace(-1, 1, image.size).reshape(SHAPE)
    labels = np.zeros(SHAPE, np.int32)
    labels[2:4, 3:6, 2:5] = 2

    def here(values: np.ndarray) -> np.ndarray:
        return reoriented(values, axes)[0]

    maps = (
        ShownMap("ramp", here(ramp), "units", "good", "holds"),
        ShownMap("spot", here(marked() - 0.001), "units"),
    )
    targets = (ShownTarget("all", maps), ShownTarget("turned", (ShownMap("ramp", -here(ramp), "units"),)))
    found = (ShownLabels("prediction", here(labels), {2: "organ"}),)
    return ShownCase(name or axes, image, targets, geometry, found)


def of_page(text: str) -> tuple[dict, dict[str, str]]:
    """What a page holds for its viewer: the description, and the volumes by name."""
    contents = json.loads(re.search(r'id="viewer-contents">(.*?)</script>', text, re.S)[1])
    return contents, dict(re.findall(r'<script type="text/plain" id="([^"]+)">([^<]+)</script>', text))


def unpacked(volumes: dict[str, str], described: dict, shape: list[int]) -> np.ndarray:
    """A stored volume as values (a, b, c)."""
    plain = zlib.decompress(base64.b64decode(volumes[described["data"]]))
    kind = np.dtype(described["type"]).newbyteorder("<")
    stored = np.frombuffer(plain, kind).reshape(shape, order="F")
    return described.get("offset", 0.0) + described.get("scale", 1.0) * stored.astype(np.float64)
