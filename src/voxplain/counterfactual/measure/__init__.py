"""Numbers that say whether generated images and counterfactuals can be believed."""

from __future__ import annotations

from voxplain.counterfactual.measure.features import RandomFeatures
from voxplain.counterfactual.measure.realism import frechet, kernel_distance

__all__ = ["RandomFeatures", "frechet", "kernel_distance"]
