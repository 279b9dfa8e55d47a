"""Thresholds that know nothing but the map itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np

from voxplain.errors import InputError
from voxplain.inherent.maps import Bools, Floats, Maps
from voxplain.inherent.score_map import ScoreMap
from voxplain.inherent.threshold.threshold import Supervision, Threshold

Network = Literal["GPUNet", "GPReconResNet", "GPShuffleUNet"]
_PUBLISHED: dict[str, float] = {"GPUNet": 0.3, "GPReconResNet": 1.6, "GPShuffleUNet": 0.1}


@dataclass(frozen=True)
class ZeroEvidence(Threshold):
    """Zero: where the evidence speaks for the class. Of a margin, that is where the class wins.

    >>> ZeroEvidence().fit(None)(np.zeros((2, 2), np.float32))
    0.0
    """

    name: ClassVar[str] = "zero"
    supervision: ClassVar[Supervision] = "none"

    def fit(self, maps: Maps | None, score: ScoreMap | None = None) -> Self:
        return self._with(None, score, 0.0)


@dataclass(frozen=True)
class Otsu(Threshold):
    """Otsu's threshold of each map, by a histogram of ``bins`` (Otsu, 1979; scikit-image). A constant map marks nothing.

    It always finds two classes, in a healthy case too.
    """

    bins: int = 256
    name: ClassVar[str] = "otsu"
    supervision: ClassVar[Supervision] = "none"
    per_case: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_bins(self.bins)

    def fit(self, maps: Maps | None, score: ScoreMap | None = None) -> Self:
        return self._with(None, score, None)

    def __call__(self, score_map: Floats, truth: Bools | None = None) -> float:
        return _otsu(score_map, self.bins)


@dataclass(frozen=True)
class MultiOtsu(Threshold):
    """The uppermost of several Otsu thresholds of each map, less an offset (Liao, Chen & Chung, 2001; scikit-image).

    With an offset it depends on the scale of the logits: a network that is as sure in other units gets another mask.
    A map with fewer values than classes falls back to `Otsu`.

    Args:
        classes: of voxels, 2 … 5.
        offset: in the score's units, taken off the threshold.
        clamp: negative scores count as 0 while the threshold is sought.
        floor: the threshold is never below; None is no such bound.
    """

    classes: int = 3
    offset: float = 0.0
    clamp: bool = False
    floor: float | None = None
    bins: int = 256
    name: ClassVar[str] = "multi-otsu"
    supervision: ClassVar[Supervision] = "none"
    note: ClassVar[str] = (
        "an offset that was chosen with masks, as the published ones, is supervision by those masks"
    )
    per_case: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_bins(self.bins)
        if not 2 <= self.classes <= 5:
            raise InputError(f"classes: found {self.classes}, expected 2 … 5")

    @classmethod
    def paper(cls, network: Network) -> Self:
        """As published for the GP-models: three classes and ``max(0, t − offset)``, an offset per network.

        The offsets (0.3, 1.6, 0.1) were chosen by the authors on the masks of the cases that they tested on.

        Raises:
            InputError: a network that has no published offset.
        """
        if network not in _PUBLISHED:
            raise InputError(f"network: found {network!r}, expected one of {', '.join(_PUBLISHED)}")
        return cls(offset=_PUBLISHED[network], floor=0.0)

    def fit(self, maps: Maps | None, score: ScoreMap | None = None) -> Self:
        return self._with(None, score, None)

    def __call__(self, score_map: Floats, truth: Bools | None = None) -> float:
        from skimage.filters import threshold_multiotsu

        seen = score_map[np.isfinite(score_map)]
        values = np.maximum(seen, 0) if self.clamp else seen
        try:
            value = float(threshold_multiotsu(values, classes=self.classes, nbins=self.bins)[-1])
        except ValueError:  # fewer values than classes
            value = _otsu(values, self.bins)
        value -= self.offset
        return value if self.floor is None else max(self.floor, value)


def _otsu(values: Floats, bins: int) -> float:
    from skimage.filters import threshold_otsu

    # of a constant map it answers the constant, above which nothing lies
    return float(threshold_otsu(values[np.isfinite(values)], nbins=bins))


def _check_bins(bins: int) -> None:
    if bins < 2:
        raise InputError(f"bins: found {bins}, expected at least 2")
