"""Tables of cohorts with planted truth, made up but whole, and a reader of what a browser would see."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from report.study_pages import Reader

from voxplain.aggregate.cohort import Cohort
from voxplain.aggregate.long_table import JOINER
from voxplain.aggregate.tables.make import DISTANCE
from voxplain.aggregate.tables.statistics import from_signed
from voxplain.case.parquet import copy_as_parquet
from voxplain.report.cohort import Asked, CohortPage, cohort_page, render_cohort

SHELLS = ("inside", "0-5 mm", "5-20 mm", ">20 mm")
SHELL_SHARES = (0.4, 0.3, 0.2, 0.1)
METHOD, GAME = "smoothgrad:draws=8", "game(infill)"
FAST = Asked(permutations=199, resamples=100)


class Made:
    """A cohort of (cases) patients, of whom the first half are of the north.

    Args:
        uses: (target, region) -> how many times the density that volume alone gives.
        south: the same, in the south only.
        lacks: (case, region) that the case has not.
        odd: (case, target, region) -> factor on the density.
        blind: as ``uses``, of the network with redrawn weights.
    """

    def __init__(
        self,
        cases: int,
        targets: Sequence[str],
        regions: Sequence[str],
        *,
        uses: dict[tuple[str, str], float] | None = None,
        south: dict[tuple[str, str], float] | None = None,
        lacks: Sequence[tuple[int, str]] = (),
        odd: dict[tuple[int, str, str], float] | None = None,
        blind: dict[tuple[str, str], float] | None = None,
        seed: int = 0,
        noise: float = 0.2,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.cases = [f"case-{c:02d}" for c in range(cases)]
        self.targets, self.regions = list(targets), list(regions)
        self.site = ["north" if c < cases / 2 else "south" for c in range(cases)]
        shape = (cases, len(targets), len(regions))
        base = 1000 * np.exp(rng.normal(0, 0.8, len(regions)))
        self.voxels = np.round(base * np.exp(rng.normal(0, 0.1, (cases, len(regions)))))
        shared = np.exp(rng.normal(0, noise, shape))
        density = shared.copy()
        for table, where in ((uses or {}, range(cases)), (south or {}, range((cases + 1) // 2, cases))):
            for (t, r), factor in table.items():
                for c in where:
                    density[c, self.targets.index(t), self.regions.index(r)] *= factor
        for (c, t, r), factor in (odd or {}).items():
            density[c, self.targets.index(t), self.regions.index(r)] *= factor
        for c, r in lacks:
            self.voxels[c, self.regions.index(r)] = 0
        self.absolute = density * self.voxels[:, None]
        # other networks see the same case, so that most of its noise is shared
        self.blind = np.exp(rng.normal(0, noise / 4, shape)) * shared * self.voxels[:, None]
        for (t, r), factor in (blind or {}).items():
            self.blind[:, self.targets.index(t), self.regions.index(r)] *= factor
        for c, r in lacks:
            if r in self.targets:
                self.absolute[c, self.targets.index(r)] = np.nan
        self.rows: list[tuple[np.ndarray, ...]] = []

    def tables(self, method: str = METHOD, partition: str = "predicted", model: str = "net") -> Made:
        """Region sums of the method, and of it on redrawn weights, which go by volume; shells."""
        for name, absolute in ((method, self.absolute), (f"{method}~redrawn-1", self.blind)):
            voxels = np.broadcast_to(self.voxels[:, None], absolute.shape)
            found = from_signed(0.75 * absolute, 0.25 * absolute, voxels)
            for statistic in ("mass", "net", "absolute", "density_ratio"):
                self._add(model, name, partition, self.regions, statistic, found[statistic], voxels)
            self._add(model, name, partition, self.regions, "voxels", voxels.astype(float), voxels)
        there = ~np.isnan(self.absolute).all(2)
        # targets look the farther, the later they come
        far = np.linspace(0.5, 1.5, len(self.targets))[:, None] * np.array([-0.5, 0, 0.5, 1.0])
        noise = 0.1 * np.random.default_rng(len(self.rows)).normal(size=(*there.shape, len(SHELLS)))
        shells = np.array(SHELL_SHARES) * np.exp(far + noise)
        shells = np.where(there[..., None], shells / shells.sum(-1, keepdims=True), np.nan)
        if partition == "predicted":
            self._add(model, method, DISTANCE, SHELLS, "mass", shells, np.ones_like(shells))
        return self

    def near(self, target: str, region: str, method: str = METHOD) -> Made:
        """Voxels at every distance: half of the region's lie in the target's innermost shell, the rest in the outermost."""
        names = [f"{r}{JOINER}{s}" for r in self.regions for s in SHELLS]
        counts = np.zeros((len(self.cases), len(self.targets), len(names)))
        for t, of in enumerate(self.targets):
            for r, name in enumerate(self.regions):
                close = 0.5 if (of, name) == (target, region) else 0.0
                counts[:, t, len(SHELLS) * r] = close * self.voxels[:, r]
                counts[:, t, len(SHELLS) * r + 3] = (1 - close) * self.voxels[:, r]
        self._add("net", method, f"predicted{JOINER}{DISTANCE}", names, "voxels", counts, counts + 1)
        return self

    def games(self, method: str = GAME, model: str = "net", against: Sequence[str] = ()) -> Made:
        """Effects as large as the absolute sums, below 0 of some regions; one pair that works together."""
        voxels = np.broadcast_to(self.voxels[:, None], self.absolute.shape)
        effects = self.absolute / 1000 * np.where(np.isin(self.regions, list(against)), -1, 1)
        for statistic in ("shapley", "occlusion"):
            self._add(model, method, "predicted", self.regions, statistic, effects, voxels)
        pair = f"{self.regions[0]} × {self.regions[1]}"
        self._add(model, method, "predicted", [pair], "interaction", effects[..., :1] + 5, voxels[..., :1])
        return self

    def _add(self, model, method, partition, regions, statistic, values, voxels) -> None:
        shape = values.shape
        told = np.broadcast_to(np.array(self.cases)[:, None, None], shape)
        target = np.broadcast_to(np.array(self.targets)[None, :, None], shape)
        region = np.broadcast_to(np.array(list(regions))[None, None], shape)
        gone = np.isnan(values) | (voxels == 0)
        status = np.where(gone, "absent", "ok")
        n = values.size
        fixed = [np.full(n, v, dtype=object) for v in (model, method, partition, statistic)]
        names = [a.ravel().astype(object) for a in (told, target, region, status)]
        self.rows.append((*fixed, *names, np.where(gone, np.nan, values).ravel()))

    def write(self, folder: Path, known: dict[str, Sequence[object]] | None = None) -> Cohort:
        """Parquet and CSV, read again."""
        folder.mkdir(parents=True, exist_ok=True)
        keys = ("model", "method", "partition", "statistic", "case", "target", "region", "status", "value")
        columns = {k: np.concatenate(a) for k, a in zip(keys, zip(*self.rows, strict=True), strict=True)}
        columns["error"] = np.full(len(columns["value"]), np.nan)
        copy_as_parquet("found", folder / "tables.parquet", {"found": columns})
        if known is None:
            return Cohort.read(folder / "tables.parquet")
        with (folder / "known.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["case", *known])
            writer.writerows(zip(self.cases, *known.values(), strict=True))
        return Cohort.read(folder / "tables.parquet", folder / "known.csv")


def read(page: CohortPage) -> Reader:
    return parsed(render_cohort(page))


def parsed(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def filled(cohort: Cohort, **more) -> CohortPage:
    return cohort_page(cohort, **{"title": "A cohort", "asked": FAST, **more})
