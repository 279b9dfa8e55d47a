"""What a refinement is: it moves the border of a mask to where the image has one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from voxplain.errors import InputError
from voxplain.inherent.maps import Bools, Floats, Spacing


class Refinement(ABC):
    """Makes another mask from a mask, its score map and the image; what it gives is no longer the decision alone."""

    name: ClassVar[str]

    def __call__(
        self,
        mask: Bools,
        score: Floats,
        threshold: float,
        image: Floats | None,
        spacing: Spacing | None = None,
    ) -> Bools:
        """The refined mask. An empty mask, or one that holds everything, stays as it is, and so does one of a constant
        image, which has no border to follow.

        Args:
            mask: (*S) what is refined.
            score: (*S) what was thresholded.
            threshold: the value that it was thresholded at.
            image: (C, *S).
            spacing: millimetres per voxel; 1 along every axis where not known.

        Raises:
            InputError: no image, or shapes that do not fit.
        """
        if image is None:
            raise InputError(f"image: found none, expected one to refine by {self.name}")
        for what, shape in (("score", score.shape), ("image", image.shape[1:])):
            if shape != mask.shape:
                raise InputError(f"{what}: found shape {shape}, expected the mask's {mask.shape}")
        if not mask.any() or mask.all() or not any(np.ptp(channel) > 0 for channel in image):
            return mask.copy()
        return self.refined(mask, score, threshold, image, spacing or (1.0,) * mask.ndim)

    @abstractmethod
    def refined(self, mask: Bools, score: Floats, threshold: float, image: Floats, spacing: Spacing) -> Bools:
        """The same of a mask that has both an inside and an outside."""
