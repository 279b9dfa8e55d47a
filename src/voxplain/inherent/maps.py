"""Evidence maps of many cases, with what is known about each: all that thresholds, masks and evaluation work on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.lazy import Lazy

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Spacing = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Maps:
    """What a classifier said about N cases. Arrays are checked once, here; everything later relies on it.

    Evidence, masks and images may be `Lazy`: then they are checked when they are read, and not all are held at once.

    Attributes:
        ids: (N,) unique names of the cases.
        groups: (N,) names of the patients; cases of one patient are never independent.
        evidence: N arrays (K, *S) float32, finite; shapes may differ from case to case, K and the number of axes may not.
        logits: (N, K) float64, finite.
        labels: (N,) int64, class indices in 0 … K − 1; of independent labels (N, K) zeros and ones.
        masks: N arrays (*S) bool or None where the truth is not known. For evaluation only. Of independent labels
            (K, *S), a mask per class.
        images: N arrays (C, *S) float32 or None.
        spacings: N tuples of millimetres per voxel, one per axis, or None where unknown.
        healthy: the class that means "nothing to see", None where there is none.
        seen: N arrays (*S) bool, the voxels that the network was shown, or None where that is all of them. Of the others,
            such as those outside a crop, nothing is known; their evidence stands as 0 and no score is made of it.
        truth_voxels: (N,) int64, how many voxels each mask marks, −1 where there is none; counted where not given. Of
            independent labels (N, K): of some classes the truth may be known, of others not.

    Raises:
        InputError: a field does not fit; the message names the field and the case.

    >>> maps = Maps(("a",), ("p",), [np.zeros((2, 4, 4))], [[1.0, 0.0]], [0])
    >>> len(maps), maps.classes, maps.predicted.tolist()
    (1, 2, [0])
    """

    ids: tuple[str, ...]
    groups: tuple[str, ...]
    evidence: Sequence[Floats]
    logits: NDArray[np.float64]
    labels: NDArray[np.int64]
    masks: Sequence[Bools | None] = ()
    images: Sequence[Floats | None] = ()
    spacings: Sequence[Spacing | None] = ()
    healthy: int | None = 0
    truth_voxels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    seen: Sequence[Bools | None] = ()

    def __post_init__(self) -> None:
        n = len(self.ids)
        _set(self, "ids", tuple(_text(self.ids, "ids")))
        _set(self, "groups", tuple(_text(self.groups, "groups")))
        for name in ("evidence", "masks", "images", "spacings", "seen"):
            given = getattr(self, name)
            absent = () if name == "evidence" else (None,) * n
            _set(self, name, given if isinstance(given, Lazy) else tuple(given) or absent)
        for f in fields(self):
            if f.name not in _NOT_PER_CASE and len(getattr(self, f.name)) != n:
                raise InputError(
                    f"{f.name}: found {len(getattr(self, f.name))} entries, expected {n}, one per id"
                )
        if n == 0:
            raise InputError("ids: found no case, expected at least one")
        repeated = sorted({i for i in self.ids if self.ids.count(i) > 1}) if len(set(self.ids)) < n else []
        if repeated:
            raise InputError(f"ids: found {repeated[0]!r} more than once, expected unique names")
        _set(self, "logits", _logits(self.logits, self.ids, 1 if np.ndim(self.labels) == 2 else 2))
        _set(self, "labels", _labels(self.labels, self.ids, self.classes))
        checks = {
            "evidence": self._evidence,
            "masks": self._mask,
            "images": self._image,
            "spacings": self._spacing,
            "seen": self._seen,
        }
        for name, check in checks.items():
            if not isinstance(getattr(self, name), Lazy):
                _set(self, name, tuple(check(i) for i in range(n)))
        counted = self.truth_voxels if len(self.truth_voxels) else [self._marked(m) for m in self.masks]
        _set(self, "truth_voxels", np.asarray(counted, dtype=np.int64))
        if self.healthy is not None and not 0 <= self.healthy < self.classes:
            raise InputError(
                f"healthy: found {self.healthy}, expected None or a class in 0 … {self.classes - 1}"
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def classes(self) -> int:
        """K, the number of classes."""
        return int(self.logits.shape[1])

    @property
    def multi_label(self) -> bool:
        """Whether labels are independent of each other."""
        return self.labels.ndim == 2

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) the class with the largest logit.

        Raises:
            InputError: labels are independent; a class by itself has a decision, see `one`.
        """
        if self.multi_label:
            raise InputError(
                "labels: found independent ones, expected one class per case; take a class by one(k)"
            )
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)

    @property
    def is_healthy(self) -> Bools:
        """(N,) whether the label is the healthy class; all False where there is none."""
        if self.healthy is None:
            return np.zeros(len(self), dtype=np.bool_)
        return np.asarray(self.labels == self.healthy)

    @property
    def has_lesion(self) -> Bools:
        """(N,) whether the truth is known and marks at least one voxel."""
        return np.asarray(self.truth_voxels > 0)

    @property
    def has_empty_truth(self) -> Bools:
        """(N,) whether nothing is to be marked: an empty mask, or no mask and a healthy label."""
        unknown = self.truth_voxels < 0
        return np.where(unknown, self.is_healthy, self.truth_voxels == 0).astype(np.bool_)

    def one(self, k: int) -> Maps:
        """One of several independent labels: as two classes, of which the absent one is healthy and has no evidence.

        Its logit is 0, so that the softmax of both is the sigmoid of the label's logit, and the contrast to healthy is the
        label's evidence: thresholds, masks and calibration of a label are those of two classes.

        Raises:
            InputError: labels are not independent, or there is no such class.
        """
        if not self.multi_label or not 0 <= k < self.classes:
            raise InputError(
                f"one: found class {k} of labels {self.labels.shape}, expected one of independent labels"
            )

        def evidence(i: int) -> Floats:
            own = self.evidence[i][k]
            return np.stack([np.zeros_like(own), own])

        def mask(i: int) -> Bools | None:
            drawn = self.masks[i]
            return None if drawn is None or self.truth_voxels[i, k] < 0 else drawn[k]

        every = range(len(self))
        logits = np.stack([np.zeros(len(self)), self.logits[:, k]], axis=1)
        return Maps(
            self.ids, self.groups, Lazy(evidence, every), logits, self.labels[:, k], Lazy(mask, every), self.images,
            self.spacings, 0, self.truth_voxels[:, k], self.seen,
        )  # fmt: skip

    def take(self, chosen: Sequence[int] | NDArray[Any]) -> Maps:
        """Some of the cases, by index or by a (N,) array of bool.

        Raises:
            InputError: none is chosen.
        """
        indices = np.arange(len(self))[np.asarray(chosen)] if len(chosen) else np.zeros(0, dtype=np.int64)
        if not len(indices):
            raise InputError(f"chosen: found no case, expected at least one of {len(self)}")
        picked = {
            f.name: _picked(getattr(self, f.name), indices) for f in fields(self) if f.name != "healthy"
        }
        return Maps(**picked, healthy=self.healthy)

    def ordered(self) -> Maps:
        """The same cases in the order of their ids, so that nothing random depends on how they came."""
        return self.take(np.argsort(np.array(self.ids)))

    def __iter__(self) -> Iterator[Maps]:
        """Each case by itself."""
        return (self.take([i]) for i in range(len(self)))

    def _evidence(self, i: int) -> Floats:
        array = np.asarray(self.evidence[i])
        where = f"evidence of {self.ids[i]!r}"
        dims = np.asarray(self.evidence[0]).ndim
        if array.ndim not in {3, 4} or array.ndim != dims:
            raise InputError(
                f"{where}: found {array.ndim} axes, expected (K, *spatial), {dims} as the first case"
            )
        if array.shape[0] != self.classes or 0 in array.shape:
            raise InputError(
                f"{where}: found shape {array.shape}, expected ({self.classes}, *spatial), no empty axis"
            )
        return _finite(array, where)

    def _mask(self, i: int) -> Bools | None:
        if self.masks[i] is None:
            return None
        array, where = np.asarray(self.masks[i]), f"mask of {self.ids[i]!r}"
        evidence = self.evidence[i]
        wanted = evidence.shape if self.multi_label else evidence.shape[1:]
        if array.shape != wanted:
            raise InputError(f"{where}: found shape {array.shape}, expected the map's {wanted}")
        if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
            raise InputError(f"{where}: found {array.dtype} with values other than 0 and 1, expected bool")
        return array.astype(np.bool_, copy=False)

    def _marked(self, mask: Bools | None) -> NDArray[np.int64]:
        """How many voxels a mask marks, per class where labels are independent; −1 where there is none."""
        shape = (self.classes,) if self.multi_label else ()
        if mask is None:
            return np.full(shape, -1)
        return np.asarray(mask.sum(axis=tuple(range(len(shape), mask.ndim))))

    def _image(self, i: int) -> Floats | None:
        if self.images[i] is None:
            return None
        array, where = np.asarray(self.images[i]), f"image of {self.ids[i]!r}"
        if array.shape[1:] != self.evidence[i].shape[1:] or array.ndim != self.evidence[i].ndim:
            raise InputError(
                f"{where}: found shape {array.shape}, expected (C, {_commas(self.evidence[i].shape[1:])})"
            )
        return _finite(array, where)

    def _seen(self, i: int) -> Bools | None:
        if self.seen[i] is None:
            return None
        array, where = np.asarray(self.seen[i]), f"seen of {self.ids[i]!r}"
        if array.shape != self.evidence[i].shape[1:] or array.dtype != np.bool_ or not array.any():
            raise InputError(
                f"{where}: found {array.dtype} {array.shape} with {np.count_nonzero(array)} voxels, expected bool "
                f"{self.evidence[i].shape[1:]} with at least one"
            )
        return array

    def _spacing(self, i: int) -> Spacing | None:
        if self.spacings[i] is None:
            return None
        spacing = tuple(float(s) for s in self.spacings[i] or ())
        dims = self.evidence[i].ndim - 1
        if len(spacing) != dims or not all(np.isfinite(s) and s > 0 for s in spacing):
            raise InputError(
                f"spacing of {self.ids[i]!r}: found {spacing}, expected {dims} positive millimetres"
            )
        return spacing


def truths_of(maps: Maps) -> Lazy[Bools]:
    """(*S) masks; empty ones where not known."""

    def truth(i: int) -> Bools:
        mask = maps.masks[i]
        return np.zeros(maps.evidence[i].shape[1:], dtype=np.bool_) if mask is None else mask

    return Lazy(truth, range(len(maps)))


_NOT_PER_CASE = ("healthy", "truth_voxels")


def _picked(items: Any, indices: NDArray[Any]) -> Any:
    return items.take(indices.tolist()) if isinstance(items, Lazy) else tuple(items[i] for i in indices)


def _set(maps: Maps, name: str, value: object) -> None:
    object.__setattr__(maps, name, value)


def _text(names: Sequence[str], field: str) -> Iterator[str]:
    if isinstance(names, str):
        raise InputError(f"{field}: found the text {names!r}, expected a sequence of names")
    for name in names:
        if not isinstance(name, str) or not name:
            raise InputError(f"{field}: found {name!r}, expected a name as text")
        yield str(name)


def _logits(logits: Any, ids: Sequence[str], least: int) -> NDArray[np.float64]:
    array = np.asarray(logits, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] < least:
        raise InputError(f"logits: found shape {array.shape}, expected (N, K) with K of at least {least}")
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise InputError(f"logits of {ids[bad[0]]!r}: found NaN or infinity, expected finite numbers")
    return array


def _labels(labels: Any, ids: Sequence[str], classes: int) -> NDArray[np.int64]:
    array = np.asarray(labels)
    if array.ndim == 2:
        if array.shape[1] != classes or not np.isin(array, (0, 1)).all():
            raise InputError(
                f"labels: found shape {array.shape}, expected (N, {classes}) zeros and ones, or (N,)"
            )
        return array.astype(np.int64)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"labels: found {array.dtype} of shape {array.shape}, expected (N,) class indices")
    bad = np.flatnonzero((array < 0) | (array >= classes))
    if len(bad):
        raise InputError(
            f"label of {ids[bad[0]]!r}: found {array[bad[0]]}, expected a class in 0 … {classes - 1}"
        )
    return array.astype(np.int64)


def _finite(array: NDArray[Any], where: str) -> Floats:
    array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise InputError(f"{where}: found NaN or infinity, expected finite numbers")
    return array


def _commas(shape: Sequence[int]) -> str:
    return ", ".join(str(n) for n in shape)
