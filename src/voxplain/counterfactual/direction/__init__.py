"""Which way in the family of images the model's answer changes."""

from __future__ import annotations

from voxplain.counterfactual.direction.attributes import Attribute, attributes
from voxplain.counterfactual.direction.direction import Direction
from voxplain.counterfactual.direction.gradient import latent_gradient
from voxplain.counterfactual.direction.labels import label_direction
from voxplain.counterfactual.direction.queries import Queries, ask
from voxplain.counterfactual.direction.ridge import local_direction, ridge_direction

__all__ = [
    "Attribute",
    "Direction",
    "Queries",
    "ask",
    "attributes",
    "label_direction",
    "latent_gradient",
    "local_direction",
    "ridge_direction",
]
