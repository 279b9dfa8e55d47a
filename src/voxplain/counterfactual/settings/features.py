"""Which network of features images are compared by, as settings."""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator

from voxplain.settings.fields import Existing
from voxplain.settings.section import Section, setting


class FeatureSettings(Section):
    """A network of features, which KID and FID compare images by."""

    source: str | None = setting(
        None,
        "file.py:function or package.module:function that gives a network from images (N, C, ...) to features (N, F); none: "
        "a convolutional network with random weights, which favours nothing that photographs show",
    )
    arguments: dict[str, Any] = setting({}, "keyword arguments of the function")
    weights: Existing | None = setting(None, "its weights: .pt, .pth or .safetensors")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.source is None and (self.weights is not None or self.arguments):
            raise ValueError("source: found none for weights or arguments, expected nets.py:features")
        return self
