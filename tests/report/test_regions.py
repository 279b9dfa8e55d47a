"""Tables of regions against sums voxel by voxel, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from aggregate_problem import SPACING, problem
from torch import nn

import voxplain as vx
from voxplain.aggregate.body import ELSEWHERE, OUT, body, division, fields
from voxplain.aggregate.partition import Partition, predicted
from voxplain.attribution import Evidence, method
from voxplain.case import Case, Geometry
from voxplain.engine import Problem
from voxplain.report.region_sums import region_tables
from voxplain.report.regions import LEAST_CASES, RegionRow, Regions, from_plain, percent, with_cohort
from voxplain.report.templating import templates
from voxplain.study.explaining.page import outside_of


def tables(p: Problem, name: str, partition: Partition) -> list[Regions]:
    found = method(name).attribute(p)
    names = [a.target.name for a in found.answers]
    plain = region_tables(found, [partition], targets=set(p.present), method=name, names=names)
    return [from_plain(one) for one in plain]


def test_shares_are_sums_over_voxels() -> None:
    p = problem()
    partition = predicted(p)
    found = tables(p, "gradient", partition)
    assert len(found) == len(p.present)
    labels = partition.labels.numpy()
    for t, table in zip(p.present, found, strict=True):
        values = method("gradient").attribute(p).values(t).sum(0).double().numpy()
        above, below = values.clip(min=0), (-values).clip(min=0)
        for row in table.rows:
            own = labels == partition.regions.index(row.name)
            assert row.voxels == own.sum()
            assert row.millilitres == pytest.approx(own.sum() * np.prod(SPACING) / 1000)
            assert row.positive == pytest.approx(above[own].sum() / above.sum())
            assert row.negative == pytest.approx(below[own].sum() / below.sum())
            assert row.mass == pytest.approx(np.abs(values[own]).sum() / np.abs(values).sum())
            assert row.density == pytest.approx(row.mass / own.mean())
            assert row.net == pytest.approx(values[own].sum(), abs=1e-9)
        assert [r.mass for r in table.rows] == sorted((r.mass for r in table.rows), reverse=True)
        assert table.meaning == "slope"
        assert "do not add up" in table.values


def test_distances_are_between_the_nearest_voxels() -> None:
    p = problem()
    for table in tables(p, "gradient", predicted(p)):
        labels, names = predicted(p).labels.numpy(), list(predicted(p).regions)
        for name, far in table.distances.items():
            own, other = (
                np.argwhere(labels == names.index(n)) * np.array(SPACING) for n in (table.own, name)
            )
            brute = min(np.sqrt(((other - v) ** 2).sum(1)).min() for v in own)
            assert far == pytest.approx(brute)


def row(name: str, positive: float | None, mass: float = 0.1, negative: float = 0.0, **more) -> RegionRow:
    return RegionRow(name, 10, 1.0, positive, negative, mass, mass, mass, 1.0, **more)


def test_the_target_s_own_region_comes_first_in_words() -> None:
    rows = (row("Hippocampus", 0.62, 0.5), row("Amygdala", 0.09, 0.2), row(OUT, 0.0, 0.07))
    found = Regions(
        "integrated_gradients",
        "Hippocampus",
        "predicted",
        rows,
        own="Hippocampus",
        distances={"Amygdala": 4.2},
        meaning="share",
    )
    first, *rest = found.sentences
    assert (
        first
        == "Hippocampus itself holds 62 % of what argues for it; the next is Amygdala (9 %), 4.2 mm away."
    )
    assert rest == ["7 % of the map lies outside of the body."]
    elsewhere = replace(found, rows=(row("Amygdala", 0.7), row("Hippocampus", 0.2)))
    assert elsewhere.sentences[0].startswith(
        "Amygdala holds 70 % of what argues for it, 4.2 mm away; Hippocampus"
    )
    unsigned = replace(found, signed=False)
    assert unsigned.sentences[0].startswith("Hippocampus itself holds 50 % of the map")


def test_what_argues_against_is_told_where_it_counts() -> None:
    rows = (
        replace(row("a", 1.0, 0.6), absolute=6, net=6),
        replace(row("b", 0.0, 0.4, 1.0), absolute=4, net=-4),
    )
    found = Regions("integrated_gradients", "a", "predicted", rows, meaning="share")
    assert "40 % of the map argues against it; most of that lies in b (100 %)." in found.sentences


def test_slopes_and_orders_do_not_argue() -> None:
    """The gradient of a dark cyst is negative all over: that it is dark is why the network found it."""
    rows = (
        replace(row("cyst", 0.0, 0.7, 0.7), absolute=7, net=-7),
        replace(row("beside", 1.0, 0.3, 0.3), absolute=3, net=-2.4),
    )
    slope = Regions("gradient", "cyst", "predicted", rows, own="cyst", meaning="slope")
    first, against, *_ = slope.sentences
    assert first == "Cyst itself holds 70 % of the map; the next is beside (30 %)."
    assert against.startswith("In 97 % of the map more brightness would lower the score; most of that lies")
    assert slope.signs == ("Brighter raises it", "Brighter lowers it")
    order = replace(slope, meaning="rank")
    assert order.sentences[1].startswith("97 % of the map is negative")
    assert not any("argue" in line for one in (slope, order) for line in (*one.sentences, *one.signs))
    adding = replace(order, adds_up=True)
    assert adding.signs == ("Argues for", "Argues against")


def cohort(shares: list[float]) -> list[Regions]:
    return with_cohort(
        [Regions("g", "a", "predicted", (row("liver", s, s), row("rest", 1 - s, 1 - s))) for s in shares]
    )


def test_a_planted_outlier_is_told_and_only_it() -> None:
    shares = [0.30, 0.32, 0.29, 0.31, 0.33, 0.28, 0.30, 0.75]
    found = cohort(shares)
    unusual = [k for k, one in enumerate(found) if one.unusual]
    assert unusual == [7]
    told = found[7].row_of["liver"]
    assert told.median == pytest.approx(np.median(shares))
    # all pairs of eight: the k-th smallest difference, k = C(5, 2), times 2.2191 and 0.669
    pairs = sorted(abs(a - b) for i, a in enumerate(shares) for b in shares[i + 1 :])
    assert told.z == pytest.approx((0.75 - np.median(shares)) / (2.21914 * 0.669 * pairs[9]), rel=1e-4)
    assert "Liver holds more of the map than usual: 75 %" in found[7].unusual[0]


def test_too_few_cases_and_tiny_differences_are_no_outliers() -> None:
    few = cohort([0.3] * (LEAST_CASES - 2) + [0.9])
    assert all(r.median is None and r.z is None for one in few for r in one.rows)
    alike = cohort([0.300, 0.3001, 0.2999, 0.3, 0.3001, 0.2999, 0.31])
    assert not any(one.unusual for one in alike)
    assert abs(alike[-1].row_of["liver"].z or 0) > 3.5  # far off in deviations, and yet a hundredth


def test_the_body_of_a_phantom_has_its_volume() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in (40, 36, 30)], indexing="ij"), -1)
    inside = (((grid - [20, 18, 15]) / [14, 12, 10]) ** 2).sum(-1) < 1
    lung = (((grid - [20, 18, 15]) / [6, 5, 4]) ** 2).sum(-1) < 1
    noise = np.random.default_rng(0).normal(0, 0.08, inside.shape)
    found = body((np.where(lung, 0.0, inside) + noise)[None].astype(np.float32))
    assert found is not None
    assert found[lung].all()  # a hole that is filled
    assert 2 * (found & inside).sum() / (found.sum() + inside.sum()) > 0.96
    assert body(np.ones((1, 8, 8, 8), np.float32)) is None


def test_a_background_is_divided_into_body_and_beside() -> None:
    image = np.zeros((1, 24, 22, 20), np.float32)
    image[0, 4:20, 4:18, 3:17] = 1
    net = nn.Conv3d(1, 2, 1)
    with torch.no_grad():
        net.weight[:], net.bias[:] = (
            torch.tensor([0.0, 4.0]).reshape(2, 1, 1, 1, 1),
            torch.tensor([0.0, -6.0]),
        )
    image[0, 8:11, 8:11, 8:11] = 2
    case = Case("box", image, Geometry(np.diag([1.0, 1, 2, 1]), (24, 22, 20)))
    p = Problem(vx.load_model(net, spatial_dims=3, classes=["background", "spot"]), case, ["spot"])
    found = division(p)
    counts = dict(zip(found.regions, found.counts.tolist(), strict=True))
    assert counts["spot"] == 27
    # a box loses its edges where small things are opened away
    assert counts[ELSEWHERE] == pytest.approx(16 * 14 * 14 - 27, rel=0.06)
    assert sum(counts.values()) == 24 * 22 * 20
    assert set(counts) == {ELSEWHERE, "spot", OUT}


@pytest.mark.parametrize(
    ("orientation", "first"), [((1, 1, 1), "left, back, lower"), ((-1, -1, 1), "right, front, lower")]
)
def test_fields_of_a_volume_are_called_by_their_sides(orientation: tuple[int, ...], first: str) -> None:
    """The corner of the lowest indices is left, posterior, inferior on RAS axes."""
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 8)).astype(np.float32)
    net = nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(1, 2))
    case = Case("a", image, Geometry(np.diag([*map(float, orientation), 1.0]), (8, 8, 8)))
    p = Problem(vx.load_model(net, spatial_dims=3, task="classification"), case, ["predicted"])
    found = fields(p)
    assert found.regions[int(found.labels[0, 0, 0])] in (first, OUT)
    assert first in found.regions


class Summed(nn.Module):
    """A constant, and the sum of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.tensor([0.5, -3.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x.sum((1, 2, 3)), -x.sum((1, 2, 3))], 1) + self.bias

    def explain(self, x: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(contribution=torch.cat([x, -x], 1))


def test_evidence_adds_up_to_the_score() -> None:
    image = np.random.default_rng(1).normal(size=(1, 9, 12)).astype(np.float32)
    p = Problem(
        vx.load_model(Summed(), spatial_dims=2, task="classification", classes=["no", "yes"]),
        Case("a", image),
        ["yes"],
    )
    found = Evidence().attribute(p)
    (plain,) = region_tables(found, [fields(p)], targets={0}, method="evidence", names=["yes"])
    table = from_plain(plain)
    for r, name in enumerate(("upper left", "lower right")):
        part = image[0, :3, :4] if r == 0 else image[0, 6:, 8:]
        assert table.row_of[name].net == pytest.approx(-part.sum(), rel=1e-4)
    assert table.total == pytest.approx(-image.sum(), rel=1e-4)
    assert table.rest == pytest.approx(-3.0, abs=1e-4)  # the constant
    page = templates("voxplain.report").from_string(
        '{% import "items.html.j2" as items %}{{ items.regions([table], []) }}'
    )
    assert "what each region adds to the score" in page.render(table=table)


def test_percent_never_hides_what_is_there() -> None:
    assert percent(1e-5) == "below 0.1 %"
    assert percent(0.0) == "0 %"


def test_a_map_of_zeros_lies_nowhere() -> None:
    empty = tuple(replace(row(name, 0.0, 0.0), net=0.0, absolute=0.0) for name in ("liver", OUT))
    found = Regions("grad_cam", "liver", "predicted", empty, own="liver", signed=False)
    assert found.sentences == ("The map of liver is zero.",)
    assert outside_of([found]) == {}  # no praise for a map that lies in the body
    full = replace(found, rows=tuple(replace(r, absolute=1.0, mass=0.5) for r in empty))
    assert outside_of([full])["grad_cam"][0] == 0.5
