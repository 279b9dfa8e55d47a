"""The vessel networks of the example, a little wider, since random weights want more channels than trained ones."""

from __future__ import annotations

from functools import partial

from vessels import networks

WIDTHS = (4, 6, 8, 10, 12)
VesselUNet = partial(networks.VesselUNet, widths=WIDTHS)
