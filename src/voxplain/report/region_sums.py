"""From a method's maps to tables of regions, as plain data."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from voxplain.aggregate.tables import table_of
from voxplain.attribution.told import WITH_MAP
from voxplain.metric.candidate import meaning_of
from voxplain.report.regions import NAMELESS, RegionRow, Regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from voxplain.aggregate.partition import Partition
    from voxplain.aggregate.tables import RegionTable
    from voxplain.attribution import Attribution

NEAREST = 2  # regions whose distance to the target's own is told
ADDS_UP = "evidence"  # the method whose map the network itself adds up


def region_tables(
    attribution: Attribution,
    partitions: Sequence[Partition],
    *,
    targets: Collection[int],
    method: str,
    names: Sequence[str],
) -> list[dict[str, Any]]:
    """Regions of the maps of some targets, one mapping per target and division.

    Args:
        targets: positions; maps of others are not summed.
        method: what pages call it.
        names: what they call the targets.

    Raises:
        VoxplainError: partitions of another image.
    """
    chosen = [
        a if t in targets else replace(a, status="absent", note="not asked")
        for t, a in enumerate(attribution.answers)
    ]
    there = [t for t, a in enumerate(chosen) if a.status in WITH_MAP]
    if not there or not partitions:
        return []
    table = table_of(replace(attribution, answers=chosen), partitions)
    return [
        _plain(attribution, table, partition, t, method=method, name=names[t])
        for t in there
        for partition in partitions
    ]


def _plain(
    attribution: Attribution, table: RegionTable, partition: Partition, t: int, *, method: str, name: str
) -> dict[str, Any]:
    answer = attribution.answers[t]
    rows = _rows(table, partition, t)
    own = answer.target.class_name
    known = own in partition.regions and own not in NAMELESS and own != partition.regions[0]
    signed = attribution.made_by is None or attribution.made_by.signed
    region = Regions(
        method=method,
        target=name,
        division=partition.name,
        rows=rows,
        own=own if known else "",
        in_mm=partition.spacing is not None,
        meaning=meaning_of(attribution),
        signed=signed and any(row.negative for row in rows),
        score=answer.score,
        adds_up=attribution.method == ADDS_UP,
    )
    return asdict(replace(region, distances=_distances(region, partition)))


def _rows(table: RegionTable, partition: Partition, t: int) -> tuple[RegionRow, ...]:
    part = table.part(partition.name)
    value = {name: part.values[name][t] for name in part.values}
    sums = {side: float(np.nansum(value[side])) for side in ("positive", "negative")}
    rows = []
    for r, name in enumerate(part.regions):
        voxels = int(value["voxels"][r])
        if not voxels:
            continue
        share = {side: float(value[side][r]) / total if total > 0 else None for side, total in sums.items()}
        rows.append(
            RegionRow(
                name=name,
                voxels=voxels,
                millilitres=_known(value["volume_ml"][r]),
                positive=share["positive"],
                negative=share["negative"],
                net=float(value["net"][r]),
                absolute=float(value["absolute"][r]),
                mass=_known(value["mass"][r]) or 0.0,
                density=_known(value["density_ratio"][r]),
            )
        )
    return tuple(sorted(rows, key=lambda row: -row.mass))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _distances(found: Regions, partition: Partition) -> dict[str, float]:
    """From the target's own region to those that hold most of it, between their nearest voxels."""
    if not found.own:
        return {}
    others = [r for r in found.rows if r.name != found.own and r.name not in NAMELESS]
    others.sort(key=lambda r: -((r.positive if found.argues else r.mass) or 0))
    if not others[:NEAREST]:
        return {}
    from scipy.spatial import cKDTree

    labels = partition.labels.numpy()
    spacing = np.array(partition.spacing or (1.0,) * labels.ndim)
    tree = cKDTree(_edge(labels == partition.regions.index(found.own)) * spacing)
    nearest: dict[str, float] = {}
    for row in others[:NEAREST]:
        far, _ = tree.query(_edge(labels == partition.regions.index(row.name)) * spacing)
        nearest[row.name] = float(np.min(far))
    return nearest


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n, axes) voxels of a region that touch another one: the nearest of two regions are among them."""
    from scipy.ndimage import binary_erosion, find_objects

    (box,) = find_objects(mask.astype(np.uint8))
    inner = mask[box]
    edge = np.argwhere(inner & ~binary_erosion(inner))
    return np.asarray(edge + [s.start for s in box])
