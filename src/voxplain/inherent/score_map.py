"""What is thresholded: one number per voxel, made from a case's evidence, or from nothing that a network said."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from voxplain.errors import InputError, suggest
from voxplain.inherent.lazy import Lazy
from voxplain.inherent.maps import Floats, Maps

Kind = Literal["evidence", "contrast", "margin"]
Of = Literal["lesion", "predicted"] | int


class ScoreMap(ABC):
    """A score per voxel; larger means more of what is sought. It never looks at a label or a mask.

    Where the network was shown nothing (`Maps.seen`), the score is −∞: such a voxel is never marked, and comes last.
    """

    name: ClassVar[str]
    uses_network: ClassVar[bool] = False

    def __call__(self, maps: Maps, index: int) -> Floats:
        """The score of one case, (*S) float32."""
        score, seen = self.everywhere(maps, index), maps.seen[index]
        return score if seen is None else np.where(seen, score, np.float32(-np.inf))

    @abstractmethod
    def everywhere(self, maps: Maps, index: int) -> Floats:
        """The score (*S), whether the network was shown a voxel or not."""

    def all(self, maps: Maps) -> Lazy[Floats]:
        """The scores of all cases, (*S) each, made when they are looked at."""
        return Lazy(lambda i: self(maps, i), range(len(maps)))

    def to_dict(self) -> dict[str, Any]:
        """Name and settings, as JSON takes them."""
        return {"name": self.name, **asdict(self)}  # type: ignore[call-overload]


@dataclass(frozen=True)
class ClassScore(ScoreMap):
    """Evidence for a class, by itself or against another class, in logit units.

    Args:
        kind: "evidence" is the class's own map; "contrast" subtracts the healthy class's; "margin" subtracts the
            strongest other class at each voxel, so that it is positive exactly where the class wins.
        of: "lesion", the class other than healthy with the largest logit (so that healthy cases are scored by the rule
            that all others are); "predicted", the class with the largest logit, healthy or not
            (a healthy prediction has a contrast of 0 everywhere); or a class index.

    Raises:
        InputError: when called: a contrast without a healthy class or of the healthy class, a class that is not there.
    """

    kind: Kind = "contrast"
    of: Of = "lesion"
    name: ClassVar[str] = "class"
    uses_network: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.kind not in ("evidence", "contrast", "margin"):
            raise InputError(f"kind: found {self.kind!r}, expected evidence, contrast or margin")
        if self.of not in ("lesion", "predicted") and (
            not isinstance(self.of, int) or isinstance(self.of, bool)
        ):
            raise InputError(f"of: found {self.of!r}, expected lesion, predicted or a class index")

    def everywhere(self, maps: Maps, index: int) -> Floats:
        evidence, c = maps.evidence[index], self.class_of(maps, index)
        if self.kind == "evidence":
            return np.asarray(evidence[c])
        if self.kind == "contrast":
            if maps.healthy is None:
                raise InputError("kind: found contrast without a healthy class, expected evidence or margin")
            if c == maps.healthy and self.of != "predicted":
                raise InputError(f"of: found {c}, the healthy class, expected a class to contrast with it")
            return np.asarray(evidence[c] - evidence[maps.healthy], dtype=np.float32)
        others = np.delete(evidence, c, axis=0).max(axis=0)
        return np.asarray(evidence[c] - others, dtype=np.float32)

    def class_of(self, maps: Maps, index: int) -> int:
        """The class whose score this is."""
        if isinstance(self.of, int):
            if not 0 <= self.of < maps.classes:
                raise InputError(f"of: found class {self.of}, expected one in 0 … {maps.classes - 1}")
            return self.of
        logits = maps.logits[index].copy()
        if self.of == "lesion" and maps.healthy is not None:
            logits[maps.healthy] = -np.inf
        return int(logits.argmax())


@dataclass(frozen=True)
class ImageIntensity(ScoreMap):
    """The image itself: what brightness alone would find. No result counts that does not beat it.

    Args:
        channel: which one; None is the mean over channels.
        sign: 1 looks for bright voxels, −1 for dark ones.
    """

    channel: int | None = None
    sign: Literal[1, -1] = 1
    name: ClassVar[str] = "image intensity"

    def everywhere(self, maps: Maps, index: int) -> Floats:
        image = maps.images[index]
        if image is None:
            raise InputError(
                f"image of {maps.ids[index]!r}: found none, expected one for the row {self.name!r}"
            )
        if self.channel is not None and not 0 <= self.channel < len(image):
            raise InputError(f"channel: found {self.channel}, expected one in 0 … {len(image) - 1}")
        return np.asarray(
            self.sign * (image.mean(axis=0) if self.channel is None else image[self.channel]), np.float32
        )


@dataclass(frozen=True)
class RandomMap(ScoreMap):
    """Independent uniform noise in [0, 1), the same for a case whatever the others are and in which order they come."""

    seed: int = 0
    name: ClassVar[str] = "random map"

    def everywhere(self, maps: Maps, index: int) -> Floats:
        rng = np.random.default_rng([self.seed, zlib.crc32(maps.ids[index].encode())])
        return rng.random(maps.evidence[index].shape[1:], dtype=np.float32)


@dataclass(frozen=True)
class WholeImage(ScoreMap):
    """One everywhere: with the threshold zero, everything is marked."""

    name: ClassVar[str] = "whole image"

    def everywhere(self, maps: Maps, index: int) -> Floats:
        return np.ones(maps.evidence[index].shape[1:], dtype=np.float32)


_KINDS: dict[str, type[ScoreMap]] = {k.name: k for k in (ClassScore, ImageIntensity, RandomMap, WholeImage)}


def score_map_from_dict(told: dict[str, Any]) -> ScoreMap:
    """The score that `ScoreMap.to_dict` told.

    Raises:
        InputError: an unknown name or setting.

    >>> score_map_from_dict(ClassScore("margin", 2).to_dict())
    ClassScore(kind='margin', of=2)
    """
    name = told.get("name")
    if name not in _KINDS:
        raise InputError(f"score: found {name!r}; {suggest(str(name), _KINDS)}")
    try:
        return _KINDS[name](**{k: v for k, v in told.items() if k != "name"})
    except TypeError as error:
        raise InputError(f"score {name!r}: found settings {sorted(set(told) - {'name'})}: {error}") from error
