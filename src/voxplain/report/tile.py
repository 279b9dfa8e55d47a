"""One small picture per map, the same place for all methods, so that they can be compared side by side."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import NDArray

from voxplain.report.colours import OUTLINES, overlay, shade
from voxplain.report.panel import panel_size, strongest_along

if TYPE_CHECKING:
    from voxplain.report.scene import Scene
    from voxplain.report.view import Plane

EDGE = 260  # pixels of the longer side
ENLARGED = 4  # at most, pixels along a voxel: what the page enlarges further needs no bytes
_OUTLINE = tuple(int(OUTLINES[0][i : i + 2], 16) for i in (1, 3, 5))


def tile(scene: Scene) -> bytes:
    """A PNG of the map on its image, without any text.

    A volume with an outlined region is cut at the slice that holds most of it; one without is projected, each ray
    keeping its strongest value. So tiles of one target show the same place whatever the method.
    """
    from PIL import Image

    plane = scene.view.planes()[0]
    region = _region(scene)
    index = _fullest(region, plane) if region is not None else None
    ground, values = _flat(scene, plane, index)
    colours = overlay(values, scene.scale.limit)
    alpha = colours[..., 3:]
    # in grey even where the image has colours: those of a fundus would pass for the map's
    grey = shade(ground, scene.window).mean(-1, keepdims=True)
    picture = grey * (1 - alpha) + colours[..., :3] * alpha
    width, height = panel_size(scene, plane)
    scale = min(EDGE, ENLARGED * max(picture.shape[:2])) / max(width, height)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    image = Image.fromarray((picture * 255).round().astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    if region is not None and index is not None:
        image = _outlined(image, plane.cut(region, index), size)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _region(scene: Scene) -> NDArray[np.bool_] | None:
    if scene.prediction is None or not scene.outlined:
        return None
    found = np.isin(scene.prediction, [item.label for item in scene.outlined])
    return found if found.any() else None


def _fullest(region: NDArray[np.bool_], plane: Plane) -> int:
    others = tuple({0, 1, 2} - {plane.axis})
    return int(region.sum(axis=others).argmax())


def _flat(scene: Scene, plane: Plane, index: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
    if scene.view.ndim == 2:
        index = 0
    if index is not None:
        return plane.cut(scene.background, index), plane.cut(scene.values, index)
    ground = plane.turn(scene.background.mean(axis=plane.axis, dtype=np.float64))
    return ground, plane.turn(strongest_along(scene.values, plane.axis))


def _outlined(image: Any, region: NDArray[np.bool_], size: tuple[int, int]) -> Any:
    """A line of one pixel on the inner side of the region's edge."""
    from PIL import Image

    mask = Image.fromarray(region.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST)
    inside = np.asarray(mask) > 0
    edge = inside & ~scipy.ndimage.binary_erosion(inside)
    pixels = np.array(image)
    pixels[edge] = _OUTLINE
    return Image.fromarray(pixels)
