"""Key slices as pictures that every viewer shows: map, outlines, sides and a warning are part of the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import NDArray

import voxplain
from voxplain.report.canvas import signed
from voxplain.report.colours import OUTLINES, Scale, bar_colours, overlay, shade, window
from voxplain.report.dicom.common import SERIES, new, stamped, who
from voxplain.report.dicom.content import BANNER, Origin, Segment, VoxelMap, identifier, short

if TYPE_CHECKING:
    from voxplain.report.dicom.source import Source

LONGEST = 512  # pixels of a slice's longer side
MARGIN, HEAD, FOOT, LINE = 28, 58, 68, 20  # pixels beside, above and below it, and of a line of names
WIDEST = 480  # the least width of a picture's text
_LETTERS = ("LR", "PA", "SI")  # towards the positive and the negative end of x, y, z in LPS
_OBLIQUE = 0.26  # sine of 15 degrees: from there on an edge gets a second letter


def captures(
    source: Source,
    voxel_map: VoxelMap,
    segments: Sequence[Segment],
    origin: Origin,
    *,
    count: int = 3,
    number: int = 0,
) -> list[Any]:
    """The slices that hold most of a map, as Secondary Capture images of one series.

    Args:
        source: the series, with its pixels.
        voxel_map: its values are (columns, rows, slices) on the series' grid.
        segments: outlined, the eight first.
        origin: who made it.
        count: of slices.
        number: tells the series of several maps apart.

    Raises:
        InputError: a map that is not finite or zero everywhere, images without pixels.
    """
    scale = Scale.of(voxel_map.values, name=voxel_map.name)
    image = source.values
    limits = window(image)
    found = []
    for instance, index in enumerate(key_slices(voxel_map.values, count), 1):
        pixels = draw_slice(source, image, voxel_map, segments[: len(OUTLINES)], index, scale.limit, limits)
        found.append(_captured(source, voxel_map, origin, pixels, index, instance, number))
    return found


def key_slices(values: NDArray[Any], count: int) -> list[int]:
    """The slices with the largest sums of |value|, not side by side where there is room, in order.

    >>> key_slices(np.array([0.0, 5, 6, 0, 0, 0, 0, 1])[None, None], 2)
    [2, 7]
    """
    left = np.abs(values).sum(axis=(0, 1), dtype=np.float64)
    apart = max(len(left) // (4 * count), 1)
    chosen: list[int] = []
    while len(chosen) < count and left.max() > 0:
        best = int(left.argmax())
        chosen.append(best)
        left[max(best - apart, 0) : best + apart + 1] = 0
    return sorted(chosen)


def draw_slice(
    source: Source,
    image: NDArray[Any],
    voxel_map: VoxelMap,
    segments: Sequence[Segment],
    index: int,
    limit: float,
    limits: tuple[float, float],
) -> NDArray[np.uint8]:
    """(rows, columns, 3): slice `index` as the series has it, its pixels square, with everything burnt in."""
    from PIL import Image, ImageDraw

    height, width = _size(source)
    ground = shade(image[:, :, index].T, limits)
    colours = overlay(voxel_map.values[:, :, index].T, limit)
    alpha = colours[..., 3:]
    blended = ((ground * (1 - alpha) + colours[..., :3] * alpha) * 255).round().astype(np.uint8)
    picture = Image.fromarray(blended).resize((width, height), Image.Resampling.NEAREST)
    picture = Image.fromarray(_outlined(np.array(picture), segments, index))
    total = max(width + 2 * MARGIN, WIDEST)
    names = _names([s for s in zip(segments, OUTLINES, strict=False) if s[0].mask[:, :, index].any()], total)
    canvas = Image.new("RGB", (total, HEAD + height + 2 * MARGIN + FOOT + LINE * len(names)))
    corner = ((total - width) // 2, HEAD + MARGIN)
    canvas.paste(picture, corner)
    pen = ImageDraw.Draw(canvas)
    pen.text((total // 2, 4), BANNER.upper(), fill="#ffb300", font=_font(20), anchor="ma")
    pen.text((total // 2, 32), short(voxel_map.name, 60), fill="#e8eaed", font=_font(15), anchor="ma")
    _write_sides(pen, source, corner, (width, height))
    _write_foot(canvas, pen, source, voxel_map, names, index, limit)
    return np.asarray(canvas)


def ends(direction: NDArray[Any]) -> tuple[str, str]:
    """Letters of the far and the near end of a direction in LPS, such as ("L", "R") or, oblique, ("LA", "RP").

    >>> ends(np.array([0.0, -1, 0]))
    ('A', 'P')
    """
    strongest = np.argsort(-np.abs(direction), kind="stable")
    kept = [int(a) for n, a in enumerate(strongest) if n == 0 or abs(direction[a]) >= _OBLIQUE]
    far = "".join(_LETTERS[a][0 if direction[a] > 0 else 1] for a in kept)
    near = "".join(_LETTERS[a][1 if direction[a] > 0 else 0] for a in kept)
    return far, near


def _size(source: Source) -> tuple[int, int]:
    """Height and width of a slice in pixels that are as long as they are wide."""
    columns, rows, _ = source.geometry.shape
    across, down = source.geometry.spacing[:2]
    width, height = columns * across, rows * down
    scale = LONGEST / max(width, height)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def _outlined(pixels: NDArray[np.uint8], segments: Sequence[Segment], index: int) -> NDArray[np.uint8]:
    from PIL import Image

    height, width = pixels.shape[:2]
    for segment, colour in zip(segments, OUTLINES, strict=False):
        mask = Image.fromarray(segment.mask[:, :, index].T.astype(np.uint8) * 255)
        inside = np.asarray(mask.resize((width, height), Image.Resampling.NEAREST)) > 0
        edge = inside & ~scipy.ndimage.binary_erosion(inside)
        pixels[edge] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return pixels


def _write_sides(pen: Any, source: Source, corner: tuple[int, int], size: tuple[int, int]) -> None:
    """The body's directions at the four edges."""
    axes = source.frames[0].orientation
    assert axes is not None  # a grid was made of it
    (right, left), (bottom, top) = ends(axes[0]), ends(axes[1])
    (x, y), (width, height) = corner, size
    half = MARGIN // 2
    for text, place in (
        (left, (x - half, y + height // 2)),
        (right, (x + width + half, y + height // 2)),
        (top, (x + width // 2, y - half)),
        (bottom, (x + width // 2, y + height + half)),
    ):
        pen.text(place, text, fill="#e8eaed", font=_font(18), anchor="mm")


def _names(shown: Sequence[tuple[Segment, str]], width: int) -> list[list[tuple[int, str, str]]]:
    """Lines of (x, name, colour) of the outlines that are in a slice."""
    lines: list[list[tuple[int, str, str]]] = []
    x = width
    for segment, colour in shown:
        text = short(segment.name, 32)
        needed = round(_font(13).getlength(text)) + 14
        if x + needed > width:
            lines.append([])
            x = 8
        lines[-1].append((x, text, colour))
        x += needed
    return lines


def _write_foot(
    canvas: Any,
    pen: Any,
    source: Source,
    voxel_map: VoxelMap,
    names: Sequence[Sequence[tuple[int, str, str]]],
    index: int,
    limit: float,
) -> None:
    """Colour bar with its ends, names of the outlines, the unit, which slice it is."""
    from PIL import Image

    width, height = canvas.size
    top = height - FOOT - LINE * len(names)
    bar = (bar_colours(limit, 200)[:, :3] * 255).round().astype(np.uint8)
    canvas.paste(Image.fromarray(np.repeat(bar[None], 12, axis=0)), (width // 2 - 100, top))
    pen.text((width // 2 - 106, top + 6), signed(-limit), fill="#e8eaed", font=_font(13), anchor="rm")
    pen.text((width // 2 + 106, top + 6), signed(limit), fill="#e8eaed", font=_font(13), anchor="lm")
    for n, line in enumerate(names):
        for x, text, colour in line:
            pen.text((x, top + LINE + LINE * n), text, fill=colour, font=_font(13))
    lines = (
        short(f"{voxel_map.unit}: for (red) and against (blue)", 66),
        f"slice {index + 1} of {source.geometry.shape[2]}, voxplain {voxplain.__version__}",
    )
    for n, text in enumerate(lines, len(names)):
        pen.text((8, top + LINE + LINE * n), text, fill="#9aa0a6", font=_font(13))


def _font(size: int) -> Any:
    """Matplotlib brings it, so that pictures are alike everywhere."""
    from pathlib import Path

    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size
    )


def _captured(
    source: Source,
    voxel_map: VoxelMap,
    origin: Origin,
    pixels: NDArray[np.uint8],
    index: int,
    instance: int,
    number: int,
) -> Any:
    from highdicom.sc import SCImage
    from highdicom.sr import CodedConcept
    from pydicom.dataset import Dataset
    from pydicom.sr.codedict import codes

    series, _ = new(source, origin, "sc", voxel_map.values, voxel_map.method, voxel_map.target)
    frame, image = source.frames[index], source.images[index]
    assert frame.orientation is not None
    sides = [ends(axis)[0].replace("S", "H").replace("I", "F") for axis in frame.orientation]
    dataset = SCImage(
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=image.StudyInstanceUID,
        patient_orientation=(sides[0][0], sides[1][0]),
        **who(
            series,
            SERIES["sc"] + number,
            identifier("picture", series, index, pixels),
            f"Research: {voxel_map.name}",
            instance,
        ),
    )
    dataset.PatientOrientation = sides
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.ConversionType = "WSD"
    dataset.BurnedInAnnotation = "NO"  # nothing that identifies a patient
    dataset.DerivationDescription = f"{BANNER}. Slice {index + 1} with an attribution map drawn on it"
    referred = Dataset()
    referred.ReferencedSOPClassUID, referred.ReferencedSOPInstanceUID = (
        image.SOPClassUID,
        image.SOPInstanceUID,
    )
    referred.PurposeOfReferenceCodeSequence = [
        CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation)
    ]
    dataset.SourceImageSequence = [referred]
    return stamped(dataset, source, origin)
