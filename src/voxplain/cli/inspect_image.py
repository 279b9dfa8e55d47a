"""What an image is: grid, place in space, values, label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxplain.cli.listing import Listing
from voxplain.study.sizes import by

if TYPE_CHECKING:
    from voxplain.case import Case


def print_image(paths: Sequence[Path], *, label: str | None = None, series: str | None = None) -> None:
    """Read the image and print what is known of it.

    Raises:
        InputError: it cannot be read as one image.
    """
    from voxplain.case import read_case

    case = read_case(paths[0] if len(paths) == 1 else list(paths), label=label, series=series)
    listing = Listing(f"image  {', '.join(map(str, paths))}")
    _grid(case, listing)
    _values(case, listing)
    if case.label is not None:
        found, counts = np.unique(case.label, return_counts=True)
        shown = ", ".join(f"{v} ({n})" for v, n in list(zip(found, counts, strict=True))[:20])
        listing.row("label", f"{len(found)} values: {shown}{', …' if len(found) > 20 else ''}")
    for name, value in case.meta.items():
        if value in (None, "", [], {}):
            continue
        text = str(value)
        listing.row(name, text if len(text) <= 100 else f"{text[:97]}…")
    listing.print()


def _grid(case: Case, listing: Listing) -> None:
    listing.row("case", case.id)
    listing.row("channels", case.channels)
    listing.row("shape", by(case.spatial_shape))
    geometry = case.geometry
    if geometry is None:
        listing.row("geometry", "none: a picture or a bare array has no place in space")
        return
    listing.row("spacing", f"{by(geometry.spacing, '.4g')} mm")
    extent = [s * n for s, n in zip(geometry.spacing, case.spatial_shape, strict=False)]
    listing.row("extent", f"{by(extent, '.4g')} mm")
    turned = [w for w, so in (("oblique", geometry.is_oblique), ("sheared", geometry.is_sheared)) if so]
    listing.row("orientation", " ".join([geometry.orientation, *(f"({w})" for w in turned)]))
    listing.row("affine", "\n".join(" ".join(f"{v:10.4f}" for v in row) for row in geometry.affine[:3]))


def _values(case: Case, listing: Listing) -> None:
    for channel, image in enumerate(case.image):
        low, high = np.percentile(image, [5, 95])
        name = "values" if case.channels == 1 else f"channel {channel}"
        zeros = float((image == 0).mean())
        listing.row(
            name,
            f"{image.min():g} to {image.max():g}, mean {image.mean():.4g}, "
            f"5th to 95th percentile {low:.4g} to {high:.4g}, {zeros:.0%} zero",
        )
    listing.row("memory", f"{case.image.nbytes / 2**20:.1f} MB as float32")
