"""Networks that propose how an image would change: `PublishedSimulator` and `VelocitySimulator`."""

from __future__ import annotations

from voxplain.simulator.networks.base import Simulator
from voxplain.simulator.networks.conditional import ConditionalConv, Film
from voxplain.simulator.networks.published import PublishedSimulator
from voxplain.simulator.networks.velocity import VelocitySimulator

__all__ = ["ConditionalConv", "Film", "PublishedSimulator", "Simulator", "VelocitySimulator"]
