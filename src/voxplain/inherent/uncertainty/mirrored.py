"""A classifier that is asked about an image and its mirror images, and whose mean map still is the decision."""

from __future__ import annotations

from voxplain.inherent.classifier import EvidenceClassifier
from voxplain.inherent.uncertainty.committee import Committee


class Mirrored(Committee):
    """A network and all mirror images, see `Committee`; where an image is mirrored, so are the maps, exactly.

    Args:
        network: is asked, and not changed.
    """

    def __init__(self, network: EvidenceClassifier) -> None:
        super().__init__([network], mirrored=True)
