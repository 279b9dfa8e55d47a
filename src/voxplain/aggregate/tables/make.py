"""Region tables: streamed where a method's formula allows, from whole maps otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from voxplain.aggregate.long_table import JOINER
from voxplain.aggregate.partition import Partition, known_spacing, require_fitting, voxel_ml
from voxplain.aggregate.shells import DistancesFromTargets, Shells
from voxplain.aggregate.tables.cells import Cells
from voxplain.aggregate.tables.estimates import jackknife, of_draws
from voxplain.aggregate.tables.statistics import columns
from voxplain.aggregate.tables.sums import Sums
from voxplain.aggregate.tables.table import Part, RegionTable, with_status
from voxplain.aggregate.targets import target_names
from voxplain.attribution.attribution import Attribution
from voxplain.attribution.method import Method, uncoupled
from voxplain.attribution.nested import parse_method
from voxplain.attribution.streamed import Streamed
from voxplain.attribution.told import WITH_MAP
from voxplain.engine import Problem
from voxplain.errors import InputError

Array = NDArray[np.float64]
DISTANCE, RADIUS = "distance", "context radius"
NO_STATUS = np.empty(0, dtype=object)
# Of the memory for maps, what the numbers of the shells may take.
SHELLS_SHARE = 8
GROUPS = 4


def region_table(
    problem: Problem,
    partitions: Sequence[Partition],
    method: Method | str = "smoothgrad",
    *,
    shells: Shells | None = None,
    groups: int = GROUPS,
    label: str | None = None,
) -> RegionTable:
    """Sums of all targets' attributions over the regions of all partitions, in one pass.

    A method whose map is a factor times one expectation of the gradient (`Method.streamed`) keeps no map: windows go along
    one axis, and what is finished is summed and let go. Of other methods the whole maps are made first.

    Standard errors come from the spread of independent draws, as of SmoothGrad, and are of that alone, not of the network or
    the image. Net sums over regions use every draw; what is not linear in the map uses the jackknife over ``groups`` of
    draws, each of which is left out in turn. Other methods have none.

    Args:
        method: or its name with parameters, as in ``smoothgrad:draws=8``.
        shells: also tell the distance from the target's own region: a partition ``distance``, and ``context radius`` whose
            ``radius`` is the distance within which a share of the absolute sum lies.
        groups: of draws, at least 2: two halves, or more, which tell errors better and take as many times the memory of a
            band (which ``problem.memory`` limits).
        label: what the table calls the method; its name by default, or the text that was given.

    Raises:
        VoxplainError: as `Method.attribute`; partitions of another image, or none.

    >>> import numpy as np, torch, voxplain as vx
    >>> network = torch.nn.Conv2d(1, 2, 1)  # bright: twice the intensity
    >>> network.weight.data = torch.tensor([0.0, 2.0]).reshape(2, 1, 1, 1)
    >>> network.bias.data = torch.tensor([1.0, 0.0])
    >>> model = vx.load_model(network, classes=["dark", "bright"])
    >>> case = vx.Case("three voxels", np.array([[[0.0, 1.0, 3.0]]]))
    >>> problem = vx.Problem(model, case, ["bright"])
    >>> table = region_table(problem, [vx.predicted_regions(problem)], "gradient")
    >>> {row["region"]: row["value"] for row in table.rows() if row["statistic"] == "mass"}
    {'dark': 0.0, 'bright': 1.0}
    """
    chosen = parse_method(method) if isinstance(method, str) else method
    name = label or (method if isinstance(method, str) else chosen.name)
    if groups < 2:
        raise InputError(f"groups: found {groups}, expected at least 2")
    _check(problem, partitions, shells)
    chosen.require(problem)
    formula = chosen.streamed(problem) if problem.present else None
    if formula is None:
        return table_of(chosen.attribute(problem), partitions, shells=shells, label=name)
    cells, distances = _divided(problem, partitions, shells)
    formulas = [formula]

    def run() -> tuple[Sums, Tensor | None]:
        # a second time anew, since a backward pass keeps books
        streamed = formulas.pop() if formulas else chosen.streamed(problem)
        assert streamed is not None
        return _streamed(problem, streamed, cells, distances, groups)

    sums, _ = uncoupled(problem, chosen.name, run, lambda found: found[1])
    status = [_status(sums.regions[t, 0], t in problem.present) for t in range(len(problem.targets))]
    return _table(sums, partitions, name, tuple(status))


def table_of(
    attribution: Attribution,
    partitions: Sequence[Partition],
    *,
    shells: Shells | None = None,
    label: str | None = None,
) -> RegionTable:
    """The same sums of maps that are there, one target at a time; without standard errors, energy is the plain Σ a².

    Raises:
        InputError: partitions of another image, or none.
    """
    problem = attribution.problem
    _check(problem, partitions, shells)
    cells, distances = _divided(problem, partitions, shells)
    sums = Sums(problem, cells, distances, np.ones(1))
    everywhere = tuple(slice(0, n) for n in problem.spatial_shape)
    for t, answer in enumerate(attribution.answers):
        if answer.status in WITH_MAP:
            sums.take(t, everywhere, attribution.maps[t][None])
    status = tuple(answer.status for answer in attribution.answers)
    return _table(sums, partitions, label or attribution.method, status)


def _check(problem: Problem, partitions: Sequence[Partition], shells: Shells | None) -> None:
    if not partitions and shells is None:
        raise InputError("regions: found no partition and no shells, expected at least one")
    taken = [*(p.name for p in partitions), *((DISTANCE, RADIUS) if shells is not None else ())]
    twice = sorted({n for n in taken if taken.count(n) > 1})
    if twice:
        raise InputError(f"regions: found the partition {twice[0]!r} twice, expected one of each name")
    for partition in partitions:
        require_fitting(problem, partition)


def _divided(
    problem: Problem, partitions: Sequence[Partition], shells: Shells | None
) -> tuple[Cells, DistancesFromTargets | None]:
    cells = Cells.of(partitions, problem.spatial_shape)
    limit = problem.memory // SHELLS_SHARE
    return cells, None if shells is None else DistancesFromTargets(problem, shells, limit=limit)


def _streamed(
    problem: Problem, streamed: Streamed, cells: Cells, distances: DistancesFromTargets | None, groups: int
) -> tuple[Sums, Tensor | None]:
    """The sums, and the clean scores where they came with them."""
    draws = len(streamed.make(problem))
    independent = streamed.independent and draws > 1
    count = min(groups, draws) if independent else 1
    sizes = np.bincount(np.arange(draws) % count).astype(np.float64)
    sums = Sums(problem, cells, distances, sizes, streamed.times, draws if independent else 0)
    scores = streamed.banded(problem, sums.take, groups=count, each=sums.each if independent else None)
    return sums, scores[0] if streamed.at_image else None


def _status(sums: Array, present: bool) -> str:
    if not present:
        return "absent"
    if not np.isfinite(sums).all():
        return "failed"
    return "ok" if sums.any() else "zero"


def _table(sums: Sums, partitions: Sequence[Partition], method: str, status: tuple[str, ...]) -> RegionTable:
    problem = sums.problem
    parts, start = [], 1
    for partition in partitions:
        own = slice(start, start + len(partition.regions))
        start = own.stop
        positive, negative, energy = sums.signed(sums.regions[:, own])
        voxels = np.broadcast_to(partition.counts.numpy().astype(float), positive.shape[1:])
        net = of_draws(sums.draws[..., own]) if len(sums.draws) > 1 else None
        found = columns(positive, negative, energy, voxels, partition.voxel_ml, net)
        part = Part(partition.name, partition.regions, found.values, found.errors, NO_STATUS)
        parts.append(with_status(part, status))
    if sums.distances is not None:
        parts += _of_shells(sums, sums.distances, status)
        parts += [_crossed(problem, p, sums.distances, status) for p in partitions]
    names = target_names(problem)
    return RegionTable(problem.case.id, problem.model.name, method, names, tuple(parts))


def _of_shells(sums: Sums, distances: DistancesFromTargets, status: tuple[str, ...]) -> list[Part]:
    """The shells, and the radii."""
    problem = sums.problem
    fine = np.full(sums.shells.shape[:2], np.nan)
    for t in problem.present:
        fine[t] = distances.counts(t)
    positive, negative, energy = (distances.coarse(found) for found in sums.signed(sums.shells))
    voxel = voxel_ml(known_spacing(problem))
    found = columns(positive, negative, energy, distances.coarse(fine), voxel, None)
    names = distances.shells.names(distances.unit)
    shells = with_status(Part(DISTANCE, names, found.values, found.errors, NO_STATUS), status)
    above, below, _ = sums.signed(sums.shells)
    radii = distances.radius(above + below)
    known = np.array([s == "ok" for s in status])[:, None]
    values = {"radius": np.where(known, radii[0], np.nan)}
    errors = {"radius": np.where(known, jackknife(radii[1:]), np.nan)}
    own = np.repeat(np.array(status, dtype=object)[:, None], len(distances.shells.radii), axis=1)
    return [shells, Part(RADIUS, distances.shells.radii, values, errors, own)]


def _crossed(
    problem: Problem, partition: Partition, distances: DistancesFromTargets, status: tuple[str, ...]
) -> Part:
    """Voxels of every region in every shell of a target: what a dependence on distance alone would give a region."""
    shells = distances.shells.names(distances.unit)
    voxels = np.full((len(status), len(partition.regions), len(shells)), np.nan)
    for t in problem.present:
        voxels[t] = distances.coarse(distances.crossed(t, partition.labels.numpy(), len(partition.regions)))
    met = np.nan_to_num(voxels).any(0)
    names = [f"{region}{JOINER}{shell}" for region in partition.regions for shell in shells]
    kept = tuple(name for name, there in zip(names, met.ravel(), strict=True) if there)
    values = {"voxels": voxels[:, met]}
    part = Part(
        f"{partition.name}{JOINER}{DISTANCE}",
        kept,
        values,
        {"voxels": np.full_like(voxels[:, met], np.nan)},
        NO_STATUS,
    )
    return with_status(part, status)
