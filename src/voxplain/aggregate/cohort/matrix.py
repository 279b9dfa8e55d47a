"""One statistic over a cohort: a number per case, target and region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort.told import Told
from voxplain.errors import InputError, suggest

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Matrix(Told):
    """What each target drew from each region, case by case; every case of the cohort stays, whatever it lacks.

    Attributes:
        statistic, method, model, partition: what the numbers are of.
        cases, targets, regions: names along the axes.
        values: (cases, targets, regions), NaN where there is no figure: the region or the target is absent, or it failed.
        errors: (cases, targets, regions) standard errors of measurement, NaN where none is known.
        present: (cases, regions) whether the case has the region at all.
    """

    statistic: str
    method: str
    model: str
    partition: str
    cases: tuple[str, ...]
    targets: tuple[str, ...]
    regions: tuple[str, ...]
    values: Numbers
    errors: Numbers
    present: Mask

    def __post_init__(self) -> None:
        shape = (len(self.cases), len(self.targets), len(self.regions))
        if self.values.shape != shape or self.errors.shape != shape:
            raise InputError(
                f"matrix {self.statistic}: found values {self.values.shape} and errors {self.errors.shape}, expected {shape}"
            )
        if self.present.shape != (shape[0], shape[2]):
            raise InputError(
                f"matrix {self.statistic}: found present {self.present.shape}, expected {(shape[0], shape[2])}"
            )

    @property
    def answered(self) -> Mask:
        """(cases, targets) whether the case has any figure of the target."""
        return np.asarray(~np.isnan(self.values).all(2))

    @property
    def divided(self) -> Mask:
        """(cases,) whether there are any rows of the division: each voxel of a case lies in one of its regions."""
        return np.asarray(self.present.any(1))

    def entry(self, target: str, region: str) -> Numbers:
        """(cases,) of one entry."""
        t, r = place(self.targets, target, "target"), place(self.regions, region, "region")
        return self.values[:, t, r]

    def pick(
        self,
        *,
        cases: Sequence[str] | None = None,
        targets: Sequence[str] | None = None,
        regions: Sequence[str] | None = None,
    ) -> Matrix:
        """Only these names, in this order.

        Raises:
            InputError: a name that it has not.
        """
        c, t, r = (
            list(range(len(known))) if wanted is None else [place(known, n, what) for n in wanted]
            for known, wanted, what in (
                (self.cases, cases, "case"),
                (self.targets, targets, "target"),
                (self.regions, regions, "region"),
            )
        )
        return replace(
            self,
            cases=tuple(self.cases[i] for i in c),
            targets=tuple(self.targets[i] for i in t),
            regions=tuple(self.regions[i] for i in r),
            values=self.values[np.ix_(c, t, r)],
            errors=self.errors[np.ix_(c, t, r)],
            present=self.present[np.ix_(c, r)],
        )

    def holding(self, values: Numbers, statistic: str) -> Matrix:
        """The same names with other values, whose errors are not known."""
        return replace(self, values=values, errors=np.full_like(values, np.nan), statistic=statistic)


def place(known: Sequence[str], name: str, what: str) -> int:
    """Where a name stands.

    Raises:
        InputError: nowhere; the message tells the closest.
    """
    try:
        return list(known).index(name)
    except ValueError:
        raise InputError(f"{what} {name!r}: not in the matrix; {suggest(name, known)}") from None


def need_finite(matrix: Matrix, asked: str) -> Numbers:
    """The values, none of them infinite.

    Raises:
        InputError: an infinite one, as the logarithm of an empty share is: a mean would be nothing but it.
    """
    found = np.argwhere(np.isinf(matrix.values))
    if len(found):
        c, t, r = found[0]
        entry = f"{matrix.statistic} of {matrix.targets[t]!r} in {matrix.regions[r]!r}"
        raise InputError(
            f"{asked}: {entry} is infinite in case {matrix.cases[c]!r} ({len(found)} such figures); take mass, or "
            "log-ratios whose zeros are replaced"
        )
    return matrix.values
