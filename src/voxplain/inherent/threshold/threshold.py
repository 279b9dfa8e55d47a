"""What a threshold is: a number, where it came from, and for which cases it may therefore not speak."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, Self

from voxplain.errors import InputError
from voxplain.inherent.maps import Bools, Floats, Maps
from voxplain.inherent.overlap import dice, iou
from voxplain.inherent.score_map import ClassScore, ScoreMap, score_map_from_dict

Supervision = Literal["none", "image labels", "masks", "oracle"]
Row = dict[str, Any]


@dataclass(frozen=True)
class Fitted:
    """What fitting found, and on whom.

    Attributes:
        value: the threshold; None where it is found on each case anew.
        score: the score that it is a threshold of.
        ids, groups: the cases and the patients that were looked at.
        evidence: numbers that say how far to trust it.
    """

    score: ScoreMap
    value: float | None = None
    ids: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Threshold(ABC):
    """Marks voxels whose score is strictly above it.

    Attributes:
        name: by which settings and tables know it.
        supervision: what had to be known to find it: "none", "image labels", "masks" of other cases, or "oracle", the
            masks of the very cases that it is scored on, which no user has.
        note: what a reader must know beside the supervision; "" where nothing.
        per_case: found on each case anew.
    """

    fitted: Fitted | None = field(default=None, kw_only=True, compare=True)

    name: ClassVar[str]
    supervision: ClassVar[Supervision]
    note: ClassVar[str] = ""
    per_case: ClassVar[bool] = False

    @abstractmethod
    def fit(self, maps: Maps, score: ScoreMap | None = None) -> Self:
        """The same threshold, fitted. Thresholds without supervision only note the score.

        Args:
            maps: cases to look at; they and their patients may not be scored afterwards.
            score: what is thresholded; a lesion's contrast to healthy where not given.

        Raises:
            InputError: the cases do not have what is needed.
        """

    def __call__(self, score_map: Floats, truth: Bools | None = None) -> float:
        """The threshold for one score map (*S), in its units. Only an oracle reads the truth."""
        value = self.found.value
        assert value is not None
        return value

    @property
    def found(self) -> Fitted:
        """What fitting found.

        Raises:
            InputError: it was not fitted.
        """
        if self.fitted is None:
            raise InputError(f"threshold {self.name!r}: not fitted; call fit(maps) first")
        return self.fitted

    @property
    def fitted_on(self) -> frozenset[str]:
        """The ids that it was fitted on; empty where none."""
        return self.fitted.ids if self.fitted else frozenset()

    @property
    def fitted_on_groups(self) -> frozenset[str]:
        """The patients that it was fitted on; empty where none."""
        return self.fitted.groups if self.fitted else frozenset()

    @property
    def is_oracle(self) -> bool:
        """Whether it has seen the truth that it is scored with; never a headline."""
        return self.supervision == "oracle"

    @property
    def title(self) -> str:
        """Its name and the settings that are not as by default, such as "oracle (per=image)"."""
        changed = [
            f"{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) != f.default
        ]
        told = ", ".join(c for c in changed if not c.startswith("fitted="))
        return f"{self.name} ({told})" if told else self.name

    @property
    def settings(self) -> dict[str, Any]:
        """Its parameters, without what fitting found."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "fitted"}

    def refuse(self, maps: Maps) -> None:
        """Do nothing if these cases may be scored.

        Raises:
            InputError: it was fitted on some of them, or on other cases of their patients; the ids are named. An oracle
                refuses nobody: it is flagged instead.
        """
        if self.is_oracle:
            return
        found = self.found
        seen = [i for i in maps.ids if i in found.ids]
        related = [
            i for i, g in zip(maps.ids, maps.groups, strict=True) if g in found.groups and i not in found.ids
        ]
        for ids, what in ((seen, "on"), (related, "on other cases of the patients of")):
            if ids:
                raise InputError(
                    f"threshold {self.name!r}: was fitted {what} {_some(ids)}; score it on cases of other patients"
                )

    def masks(self, maps: Maps) -> list[Bools]:
        """Score above threshold, (*S) each, as it is: no components, no rule for healthy cases."""
        score = self.found.score
        return [s > self(s, t) for s, t in zip(score.all(maps), maps.masks, strict=True)]

    def score(self, maps: Maps) -> list[Row]:
        """Dice and IoU of each case's mask, as it is; NaN where the truth is empty or not known.

        Returns:
            a row per case: id, group, threshold (title), supervision, oracle, value, voxels, dice, iou.

        Raises:
            InputError: it was fitted on these cases or patients.
        """
        self.refuse(maps)
        return [self._row(case) for case in maps]

    def to_dict(self) -> dict[str, Any]:
        """Name, supervision, settings and what fitting found, as JSON takes them."""
        told = {
            "name": self.name,
            "supervision": self.supervision,
            "note": self.note,
            "settings": self.settings,
        }
        if self.fitted is not None:
            told["fitted"] = {
                "value": self.fitted.value,
                "score": self.fitted.score.to_dict(),
                "ids": sorted(self.fitted.ids),
                "groups": sorted(self.fitted.groups),
                "evidence": dict(self.fitted.evidence),
            }
        return told

    def to_json(self) -> str:
        """`to_dict` as text; `threshold_from_json` reads it back, bit by bit."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)

    def _row(self, case: Maps) -> Row:
        score, truth = self.found.score(case, 0), case.masks[0]
        value = self(score, truth)
        mask = score > value
        return {
            "id": case.ids[0],
            "group": case.groups[0],
            "threshold": self.title,
            "supervision": self.supervision,
            "oracle": self.is_oracle,
            "value": value,
            "voxels": int(mask.sum()),
            "dice": float("nan") if truth is None else dice(mask, truth),
            "iou": float("nan") if truth is None else iou(mask, truth),
        }

    def _with(self, maps: Maps | None, score: ScoreMap | None, value: float | None, **evidence: Any) -> Self:
        ids = frozenset(maps.ids) if maps is not None else frozenset()
        groups = frozenset(maps.groups) if maps is not None else frozenset()
        return replace(self, fitted=Fitted(score or ClassScore(), value, ids, groups, evidence))


def fitted_from_dict(told: Mapping[str, Any]) -> Fitted:
    """What `Threshold.to_dict` told of its fitting."""
    value = told["value"]
    return Fitted(
        score_map_from_dict(dict(told["score"])),
        None if value is None else float(value),
        frozenset(told["ids"]),
        frozenset(told["groups"]),
        dict(told["evidence"]),
    )


def _some(ids: list[str]) -> str:
    return ", ".join(repr(i) for i in ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
