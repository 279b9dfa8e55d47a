"""One sentence with a light."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Remark:
    """One thing to know before believing a map.

    Attributes:
        light: "good", "warn", "bad" or "info".
        word: beside the light.
        text: a sentence.
    """

    light: str
    word: str
    text: str
