"""Families of plausible images: what an image may look like, and where in the family it lies."""

from __future__ import annotations

from voxplain.counterfactual.generator.pca import PcaGenerator
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.generator.statistics import LatentStatistics

__all__ = ["Generator", "LatentStatistics", "PcaGenerator"]
