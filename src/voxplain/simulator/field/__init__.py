"""Fields that move tissue: from velocity to displacement, composition, inverse, and what they do to volumes.

Fields are (N, D, *S) in **voxels**, one component per spatial axis. Two conventions meet here, and names tell them apart:
the *forward* map takes tissue from p to p + u(p), and its Jacobian is what volume becomes; an image is *warped* by looking
up where tissue comes from, out(p) = in(p + u(p)), which needs the inverse map. A velocity field v is the motion of tissue:
forward is exp(v), the warp exp(-v).
"""

from __future__ import annotations

from voxplain.simulator.field.compose import compose, inverse_error, invert
from voxplain.simulator.field.exponential import exponential
from voxplain.simulator.field.files import read_displacement, write_displacement
from voxplain.simulator.field.jacobian import folded_percentage, jacobian, log_jacobian
from voxplain.simulator.field.volumes import RegionChange, volume_changes
from voxplain.simulator.field.warp import warp

__all__ = [
    "RegionChange",
    "compose",
    "exponential",
    "folded_percentage",
    "inverse_error",
    "invert",
    "jacobian",
    "log_jacobian",
    "read_displacement",
    "volume_changes",
    "warp",
    "write_displacement",
]
