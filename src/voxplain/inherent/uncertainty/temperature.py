"""One number that makes logits as sure as they should be (Guo et al., ICML 2017)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.evaluate.classification import softmax
from voxplain.inherent.maps import Maps
from voxplain.inherent.uncertainty.calibration import negative_log_likelihood

_WIDEST = 12.0  # |log T|: beyond it the likelihood has no optimum, only a limit


@dataclass(frozen=True)
class Temperature:
    """Divides logits; decisions stay as they are, the map too, up to its unit.

    Attributes:
        value: T > 0; 1 changes nothing, more is less sure.
        ids, groups: the cases and patients that it was fitted on.
        nll_before, nll_after: on these, in nats.
    """

    value: float = 1.0
    ids: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    nll_before: float = float("nan")
    nll_after: float = float("nan")

    def __post_init__(self) -> None:
        if not 0 < self.value < float("inf"):
            raise InputError(f"temperature: found {self.value}, expected a positive number")

    def fit(self, maps: Maps) -> Self:
        """Minimise the negative log-likelihood of validation cases; it is convex in 1 / T, so that there is one minimum.

        Raises:
            InputError: there is none at a finite temperature: every decision is right (T → 0), or logits carry nothing or
                worse (T → ∞).
        """
        from scipy.optimize import minimize_scalar

        maps = maps.ordered()

        def cost(log_t: float) -> float:
            return negative_log_likelihood(maps.logits * np.exp(-log_t), maps.labels)

        found = minimize_scalar(cost, bounds=(-_WIDEST, _WIDEST), method="bounded", options={"xatol": 1e-9})
        if abs(found.x) > _WIDEST - 0.1 or _is_separated(maps):
            told = (
                "every decision is right"
                if _is_separated(maps)
                else "the logits say nothing about the labels"
            )
            raise InputError(
                f"temperature: found no optimum, {told} on {len(maps)} cases; expected others to fit on"
            )
        return replace(
            self,
            value=float(np.exp(found.x)),
            ids=frozenset(maps.ids),
            groups=frozenset(maps.groups),
            nll_before=cost(0.0),
            nll_after=float(found.fun),
        )

    def __call__(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, K) calibrated probabilities."""
        return softmax(np.asarray(logits, dtype=np.float64) / self.value)

    def refuse(self, maps: Maps) -> None:
        """Do nothing if these cases may be scored.

        Raises:
            InputError: it was fitted on some of them or on their patients; the ids are named.
        """
        pairs = zip(maps.ids, maps.groups, strict=True)
        seen = [i for i, g in pairs if i in self.ids or g in self.groups]
        if seen:
            told = ", ".join(repr(i) for i in seen[:5])
            raise InputError(
                f"temperature: was fitted on {told} or their patients; score it on cases of others"
            )

    def to_dict(self) -> dict[str, Any]:
        """Its fields, as JSON takes them."""
        return {**vars(self), "ids": sorted(self.ids), "groups": sorted(self.groups)}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Self:
        """What `to_dict` told."""
        return cls(**{**told, "ids": frozenset(told["ids"]), "groups": frozenset(told["groups"])})


def _is_separated(maps: Maps) -> bool:
    true = maps.logits[np.arange(len(maps)), maps.labels]
    others = maps.logits.copy()
    others[np.arange(len(maps)), maps.labels] = -np.inf
    return bool((true > others.max(axis=1)).all())
