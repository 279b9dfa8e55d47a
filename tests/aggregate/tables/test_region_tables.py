"""Streamed tables are those of stored maps, and say what can be derived by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import InstanceNormSegmenter, classifier, random_case, smooth_segmenter
from torch import nn

from voxplain.aggregate.cohort import Cohort
from voxplain.aggregate.games import region_game
from voxplain.aggregate.partition import Partition, from_labels, predicted
from voxplain.aggregate.shells import Shells
from voxplain.aggregate.tables import make, region_table, sums, table_of
from voxplain.aggregate.tables.statistics import STATISTICS
from voxplain.attribution import SmoothGrad, method
from voxplain.attribution.nested import parse_method
from voxplain.case import Case, Geometry
from voxplain.engine import Problem
from voxplain.engine.moments import OneDraw
from voxplain.errors import InputError, ModelError, TargetError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses

LAYOUTS = [
    pytest.param((9, 17), Windows(roi=6, overlap=0.5), id="2d-constant"),
    pytest.param((5, 19), Windows(roi=8, overlap=0.3, padding_value=0.4), id="2d-padded"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="reflect"), id="2d-reflect"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="circular"), id="2d-circular"),
    pytest.param((6, 7, 14), Windows(roi=(6, 4, 6), overlap=(0.5, 0.25, 0.6), blend="gaussian"), id="3d"),
    pytest.param((8, 6, 8), Windows(), id="3d-whole"),
]
STREAMED = (
    "gradient",
    "input_x_gradient",
    "smoothgrad:draws=4",
    "integrated_gradients:nodes=3,baseline=mean",
    "expected_gradients:draws=4",
    "lrp",
    "guided_backprop",
    "deconvolution",
    "excitation_backprop",
    "deep_lift",
    "deep_lift_shap",
)
SHELLS = Shells(edges=(1, 2, 4))


def problem(shape, windows, targets=None, *, channels=2, output=None, net=None, **kwargs):
    module = net or smooth_segmenter(len(shape), channels=channels)
    model = Model(module.double(), spatial_dims=len(shape), windows=windows, output=output)
    asked = AllClasses(background=True) if targets is None else targets
    kwargs = {"dtype": torch.float64, **kwargs}
    return Problem(model, random_case(shape, channels=channels), asked, **kwargs)


def divisions(p):
    """Two partitions that cross, one with a region that this image lacks."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, size=p.spatial_shape)
    names = {1: "a", 2: "b", 3: "c", 9: "nowhere"}
    return [predicted(p), from_labels(p, labels, name="given", regions=names)]


def require_same(found, truth, rtol=1e-10, leave=()):
    """All values of two tables."""
    assert [p.partition for p in found.parts] == [p.partition for p in truth.parts]
    for part, other in zip(found.parts, truth.parts, strict=True):
        assert part.regions == other.regions
        assert list(part.values) == list(other.values)
        np.testing.assert_array_equal(part.status, other.status)
        for statistic in set(part.values) - set(leave):
            # what cancels is held to the size of what it is made of
            sizes = np.abs(other.values["absolute" if statistic == "net" else statistic])
            scale = np.nanmax(sizes, initial=0.0)
            np.testing.assert_allclose(
                part.values[statistic], other.values[statistic], rtol=rtol, atol=rtol * scale
            )


@pytest.mark.parametrize("name", STREAMED)
def test_streamed_is_of_stored_maps_for_every_method(name):
    p = problem((9, 14), Windows(roi=6, overlap=0.5, blend="gaussian"), memory=2000)
    assert parse_method(name).streamed(p) is not None
    divided = divisions(p)
    found = region_table(p, divided, name, shells=SHELLS)
    truth = table_of(parse_method(name).attribute(p), divided, shells=SHELLS)
    # the energy of independent draws is another, unbiased estimate
    require_same(found, truth, leave=("energy",) if "smoothgrad" in name else ())
    assert np.nanmax(found.matrix("absolute", "given")) > 0


def test_sums_are_those_of_masks_whatever_is_summed_at_once(monkeypatch):
    """Two channels, by a mask per region."""
    p = problem((9, 14), Windows(roi=6, overlap=0.5))
    divided, attribution = divisions(p), method("input_x_gradient").attribute(p)
    for at_once in (1, 40, 1 << 15):
        monkeypatch.setattr(sums, "AT_ONCE", at_once)
        for found in (table_of(attribution, divided), region_table(p, divided, "input_x_gradient")):
            for partition in divided:
                for t in p.present:
                    own = attribution.values(t).numpy()
                    for r in np.flatnonzero(partition.counts.numpy()):
                        inside = own[:, partition.labels.numpy() == r]
                        truth = {
                            "positive": inside[inside > 0].sum(),
                            "negative": -inside[inside < 0].sum(),
                            "net": inside.sum(),
                            "absolute": np.abs(inside).sum(),
                            "energy": (inside**2).sum(),
                        }
                        for statistic, value in truth.items():
                            told = found.matrix(statistic, partition.name)[t, r]
                            assert told == pytest.approx(value, rel=1e-9, abs=1e-13)


class SmoothTimesImage(SmoothGrad):
    """A method of another package: independent draws, and a factor."""

    def _noisy(self, problem):
        return replace(super()._noisy(problem), times=problem.image)


@pytest.mark.parametrize("padding", ["constant", "reflect", "circular"])
def test_each_draws_share_is_multiplied_as_the_map_is(padding):
    p = problem((5, 12), Windows(roi=8, overlap=0.3, padding=padding))
    divided, own = divisions(p), SmoothTimesImage(draws=3)
    found = region_table(p, divided, own)
    maps = own.attribute(p)
    require_same(found, table_of(maps, divided), leave=("energy",))
    # a draw alone is a map of its own, n times its share
    one = [own.streamed(p).make(p) for _ in range(3)]
    shares = []
    for i, sampler in enumerate(one):
        gradient = p.gradient(lambda _, s=sampler, i=i: OneDraw(s, i)).maps
        labels = divided[1].labels.numpy()
        shares.append(
            [[(p.image * gradient[t]).numpy()[:, labels == r].sum() for r in range(4)] for t in p.present]
        )
    truth = np.sqrt(3 * np.var(shares, axis=0, ddof=1))
    np.testing.assert_allclose(found.errors("net", "given")[:, :4], truth, rtol=1e-8)


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_streamed_is_of_stored_maps_on_every_layout(shape, windows, score):
    p = problem(shape, windows, AllClasses(background=True, score=score))
    divided = divisions(p)
    found = region_table(p, divided, "smoothgrad:draws=5", shells=SHELLS)
    truth = table_of(method("smoothgrad", draws=5).attribute(p), divided, shells=SHELLS)
    require_same(found, truth, leave=("energy",))
    # the shares of the draws, which errors are made of, add up to the net sums, also where padding repeats the image
    cells = make.Cells.of(divided, p.spatial_shape)
    own, _ = make._streamed(p, method("smoothgrad", draws=5).streamed(p), cells, None, 4)
    net = np.nan_to_num(np.concatenate([found.matrix("net", d.name) for d in divided], axis=1))
    assert len(own.draws) == 5
    np.testing.assert_allclose(own.draws.sum(0)[:, 1:], net, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_single_precision_and_other_outputs(output):
    net = InstanceNormSegmenter(3).eval()
    model = Model(net, windows=Windows(roi=6, overlap=0.5), output=output)
    p = Problem(model, random_case((8, 9, 12)), AllClasses(background=True))
    divided = divisions(p)
    found = region_table(p, divided, "smoothgrad:draws=4", shells=SHELLS)
    truth = table_of(method("smoothgrad", draws=4).attribute(p), divided, shells=SHELLS)
    require_same(found, truth, rtol=1e-6, leave=("energy",))


def test_a_method_that_is_not_streamed_is_read_from_its_maps():
    p = problem((9, 14), Windows(roi=6, overlap=0.5))
    divided = divisions(p)
    for name in ("vargrad:draws=3", "contrastive_excitation_backprop", "occlusion:size=4"):
        assert parse_method(name).streamed(p) is None
        found = region_table(p, divided, name)
        require_same(found, table_of(parse_method(name).attribute(p), divided))
        assert found.method == name
        assert np.isnan(found.errors("absolute", "given")).all()


def test_passes_are_those_of_the_map():
    p = problem((9, 14), Windows(roi=6, overlap=0.5))
    before = p.passes.copy()
    region_table(p, divisions(p), "smoothgrad:draws=5", shells=SHELLS)
    assert p.passes - before == p.cost(gradients=5)


class Linear(nn.Module):
    """z_0 = 2 x, z_1 = -x with a bias: class 0 where x is above 0.5."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        with torch.no_grad():
            self.conv.weight[:] = torch.tensor([2.0, -1.0]).reshape(2, 1, 1, 1)
            self.conv.bias[:] = torch.tensor([0.0, 1.5])

    def forward(self, x):
        return self.conv(x)


def linear_case():
    """Rows of 4: class 0 in the first two rows (x = 1, 3), class 1 in the others (x = -2, 0.25)."""
    image = np.repeat(np.array([1.0, 3.0, -2.0, 0.25], dtype=np.float32), 4).reshape(1, 4, 4)
    affine = np.diag([2.0, 5.0, 1.0, 1.0])
    label = np.zeros((4, 4), dtype=np.int32)
    label[:, 0], label[0, 1:] = 1, 2
    return Case("linear", image, Geometry(affine, (4, 4)), label=label)


@pytest.mark.parametrize("windows", [Windows(), Windows(roi=(4, 2), overlap=0.5)], ids=["whole", "windows"])
def test_a_linear_network_by_hand(windows):
    """F_0 = mean of 2 x over the 8 voxels of class 0, so a = x · 2/8 there: ¼ and ¾; F_1 = mean of 1.5 − x over the
    others: a = −x/8 there: ¼ and −1/32. Region 1 is the first column, 2 the rest of the first row, ``outside`` is the rest.
    """
    model = Model(Linear().double(), spatial_dims=2, windows=windows)
    p = Problem(model, linear_case(), AllClasses(background=True), dtype=torch.float64)
    given = from_labels(p, p.case.label, name="given")
    found = region_table(p, [given, predicted(p)], "input_x_gradient")
    net = [[3 * 0.75, 0.25 + 0.75, 3 * 0.25], [3 * 0.25 - 3 / 32, 0.25 - 1 / 32, 0.0]]
    np.testing.assert_allclose(found.matrix("net", "given"), net, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.matrix("negative", "given")[1], [3 / 32, 1 / 32, 0], rtol=1e-12)
    np.testing.assert_allclose(found.matrix("positive", "given")[1], [0.75, 0.25, 0], rtol=1e-12)
    np.testing.assert_allclose(found.matrix("absolute", "given")[1], [27 / 32, 9 / 32, 0], rtol=1e-12)
    energy = [3 / 16 + 3 / 1024, 1 / 16 + 1 / 1024, 0]
    np.testing.assert_allclose(found.matrix("energy", "given")[1], energy, rtol=1e-12)
    np.testing.assert_array_equal(found.matrix("voxels", "given"), [[9, 4, 3]] * 2)
    np.testing.assert_allclose(found.matrix("mean", "given")[1], [27 / 32 / 9, 9 / 128, 0], rtol=1e-12)
    np.testing.assert_allclose(found.matrix("mass", "given"), [[9 / 16, 1 / 4, 3 / 16], [3 / 4, 1 / 4, 0]])
    ratio = [[1, 1, 1], [4 / 3, 1, 0]]
    np.testing.assert_allclose(found.matrix("density_ratio", "given"), ratio, rtol=1e-12, atol=1e-15)
    enriched = [[0, 0, 0], [np.log2(4 / 3), 0, np.nan]]
    np.testing.assert_allclose(found.matrix("log_enrichment", "given"), enriched, atol=1e-12)
    # a linear score without a bias is the sum of its contributions
    np.testing.assert_allclose(found.matrix("net", "given").sum(1)[0], p.clean_scores()[0], rtol=1e-12)
    np.testing.assert_allclose(found.matrix("mass", "predicted"), np.eye(2), atol=1e-15)


def test_mass_is_a_share_of_the_whole_image():
    p = problem((9, 14), Windows(roi=6, overlap=0.5))
    found = region_table(p, divisions(p), "smoothgrad:draws=3", shells=SHELLS)
    for name in ("predicted", "given", "distance"):
        np.testing.assert_allclose(np.nansum(found.matrix("mass", name), axis=1), 1, rtol=1e-12)


class Constant(nn.Module):
    """Every output is the mean of the image times a weight: the same gradient everywhere."""

    def forward(self, x):
        m = x.mean(dim=(2, 3), keepdim=True).expand_as(x)
        return torch.cat([m * 3, -m], 1)


def test_a_map_that_is_even_has_density_one_everywhere():
    p = problem((9, 14), Windows(), "0", net=Constant(), channels=1)
    if not p.present:
        p = problem((9, 14), Windows(), "1", net=Constant(), channels=1)
    found = region_table(p, divisions(p), "gradient")
    ratio = found.matrix("density_ratio", "given")
    np.testing.assert_allclose(ratio[:, :4], 1, rtol=1e-12)
    np.testing.assert_allclose(found.matrix("log_enrichment", "given")[:, :4], 0, atol=1e-12)
    assert np.isnan(ratio[:, 4]).all()


class Square(nn.Module):
    """z_0 = x² and z_1 = −1: class 0 everywhere, and a gradient 2x that is zero where x is."""

    def forward(self, x):
        return torch.cat([x**2, -torch.ones_like(x)], 1)


def noise_tables(seeds, groups):
    """Nought but for two voxels outside, which give the noise its scale: σ = 0.5 · (1 − (−1)) = 1."""
    image = np.zeros((1, 8, 8), dtype=np.float32)
    image[0, 0, 0], image[0, 0, 1] = 1, -1
    model = Model(Square(), spatial_dims=2, windows=Windows(roi=(8, 4), overlap=0.5))
    p = Problem(model, Case("noise", image), "0", dtype=torch.float64, batch=16)
    labels = np.ones((8, 8), dtype=np.int64)
    labels[0] = 0
    given = from_labels(p, labels, name="given")
    noisy = "smoothgrad:draws=8,sigma=0.5"
    return [region_table(p.at(p.image, seed=s), [given], noisy, groups=groups) for s in range(seeds)]


@pytest.mark.parametrize("groups", [2, 4])
def test_energy_of_pure_noise_is_nought_and_errors_are_as_large_as_the_spread(groups):
    """There the gradient at a draw is 2ε/64 with ε ~ N(0, 1), of expectation 0.

    Over 56 voxels and n = 8 draws: Var(net) = 56 (2/64)²/8, and E Σ ā² is as much, which is what a plain square would tell.
    The energy is Σ of the mean product of two of G means, each N(0, (2/64)² G/8): 56 ((2/64)² G/8)² · 2/(G (G − 1)).
    """
    seeds, one = 60, (2 / 64) ** 2 / 8
    tables = noise_tables(seeds, groups)
    values, errors = (
        {
            s: np.array([getattr(t, of)(s, "given")[0, 1] for t in tables])
            for s in ("net", "energy", "absolute")
        }
        for of in ("matrix", "errors")
    )
    spread = np.sqrt(56 * (one * groups) ** 2 * 2 / (groups * (groups - 1)))
    assert abs(values["energy"].mean()) < 3 * spread / np.sqrt(seeds)
    assert 56 * one > 10 * spread / np.sqrt(seeds), "a plain square would be found out"
    # 60 draws tell a standard deviation to 9 %
    assert values["energy"].std() == pytest.approx(spread, rel=0.3)
    assert values["net"].std() == pytest.approx(np.sqrt(56 * one), rel=0.3)
    # an unbiased variance of 7 degrees of freedom, 60 times: to √(2/420) = 7 %
    assert (errors["net"] ** 2).mean() == pytest.approx(56 * one, rel=0.25)
    # the jackknife of few groups is rough, and errs on the large side
    for statistic in ("absolute",) if groups == 2 else ("absolute", "energy"):
        assert 0.6 < np.sqrt((errors[statistic] ** 2).mean()) / values[statistic].std() < 2
    assert np.isnan(errors["energy"]).all() == (groups == 2)


def test_regions_and_targets_that_are_not_there_are_told():
    p = problem((9, 14), Windows(roi=6, overlap=0.5), ["0", "1", "2"])
    p.plan.functionals[1], p.plan.present = None, [0, 2]
    p.targets[1].__dict__.update(functional=None, status="absent")
    found = region_table(p, divisions(p), "smoothgrad:draws=2", shells=SHELLS)
    rows = found.rows()
    keys = [
        "case",
        "model",
        "method",
        "target",
        "partition",
        "region",
        "statistic",
        "value",
        "error",
        "status",
    ]
    assert all(list(row) == keys for row in rows)
    rows = [row for row in rows if " × " not in row["partition"]]
    regions = 3 + 5 + len(SHELLS.names())
    assert len(rows) == 3 * (regions * len(STATISTICS) + len(SHELLS.shares))
    gone = [r for r in rows if r["region"] == "nowhere"]
    assert len(gone) == 3 * len(STATISTICS) and {r["status"] for r in gone} == {"absent"}
    assert {r["value"] for r in gone if r["statistic"] not in ("voxels", "volume_ml")} == {None}
    assert {r["value"] for r in gone if r["statistic"] == "voxels"} == {0.0}
    absent = [r for r in rows if r["target"] == found.targets[1]]
    assert {r["status"] for r in absent} == {"absent"}
    told = {r["statistic"] for r in absent if r["value"] is not None}
    assert told == {"voxels"}, "a region is there whatever the target"
    here = [r for r in rows if r["status"] == "ok"]
    assert {r["target"] for r in here} == {found.targets[0], found.targets[2]}
    assert all(r["value"] is not None for r in here if r["statistic"] not in ("log_enrichment", "volume_ml"))


@pytest.mark.parametrize(
    ("shape", "geometry", "millilitres"),
    [
        ((4, 5, 6), Geometry(np.diag([2.0, 2.5, 3.0, 1.0]), (4, 5, 6)), 0.015),
        ((4, 5, 6), None, None),  # an array: a voxel of 1 mm³ would be a guess
        ((4, 5), Geometry(np.diag([2.0, 2.5, 3.0, 1.0]), (4, 5)), None),  # a plane has an area
        ((4, 5), None, None),
    ],
)
def test_a_volume_is_told_in_ml_or_not_at_all(tmp_path, shape, geometry, millilitres):
    case = replace(random_case(shape), geometry=geometry)
    model = Model(smooth_segmenter(len(shape)), spatial_dims=len(shape))
    p = Problem(model, case, AllClasses(background=True))
    given = from_labels(p, np.arange(np.prod(shape)).reshape(shape) % 2, name="given")
    path = region_table(p, [given], "gradient", shells=Shells(edges=(2,))).write(tmp_path / "t.parquet")
    sql = "SELECT target, partition, region, statistic, value FROM tables WHERE statistic IN ('voxels', 'volume_ml')"
    rows = Cohort.read(path).query(f"{sql} AND status = 'ok' AND region NOT LIKE '%×%'")
    counted = {
        (r["target"], r["partition"], r["region"]): r["value"] for r in rows if r["statistic"] == "voxels"
    }
    assert {partition for _, partition, _ in counted} == {"given", "distance"}
    for r in (r for r in rows if r["statistic"] == "volume_ml"):
        voxels = counted[r["target"], r["partition"], r["region"]]
        assert r["value"] == (None if millilitres is None else pytest.approx(voxels * millilitres))
    present = Cohort.read(path).matrix("mass", partition="given").present
    assert present.all()  # voxels say so, whatever their volume


class Broken(nn.Module):
    """Finite outputs, of which one has a gradient of ∞ · 0."""

    def forward(self, x):
        return torch.cat([3 + torch.sqrt(x * 0), x * 0], 1)


class Blind(nn.Module):
    """Outputs that do not depend on the image, though a gradient leads there."""

    def forward(self, x):
        return torch.cat([x * 0 + 3, x * 0], 1)


@pytest.mark.parametrize(
    ("net", "status"), [(Broken(), "failed"), (Blind(), "zero")], ids=["broken", "blind"]
)
def test_maps_that_are_zero_or_not_finite_are_told(net, status):
    p = problem((6, 7), Windows(), "0", net=net, channels=1)
    divided = divisions(p)
    found = region_table(p, divided, "gradient")
    attribution = method("gradient").attribute(p)
    assert attribution.answers[0].status == status
    truth = table_of(attribution, divided)
    for table in (found, truth):
        told = table.part("given").status[0].tolist()
        assert told == ([status] * 5 if status == "failed" else ["zero"] * 4 + ["absent"])
        expected = [np.nan] * 5 if status == "failed" else [0, 0, 0, 0, np.nan]
        np.testing.assert_array_equal(table.matrix("absolute", "given")[0], expected)
        assert np.isnan(table.matrix("mass", "given")).all()
        assert table.matrix("voxels", "given").sum() == 42


@pytest.mark.parametrize("name", ["gradient", "deep_lift"])
def test_scores_that_differ_from_those_known_are_asked_for_once_more_one_by_one(name):
    p, truth = (problem((9, 14), Windows(roi=6, overlap=0.5)) for _ in range(2))
    p.remember(2 * p.clean_scores())
    divided = divisions(p)
    with pytest.warns(UserWarning, match="share a batch"):
        found = region_table(p, divided, name)
    assert p.runner.fixed == 1
    require_same(found, region_table(truth, divided, name))


def test_classifiers_have_tables_of_given_regions_but_no_shells():
    model = Model(classifier(2).double(), spatial_dims=2)
    p = Problem(model, random_case((8, 9)), AllClasses(background=True), dtype=torch.float64)
    given = from_labels(p, np.arange(72).reshape(8, 9) % 3, name="given")
    found = region_table(p, [given], "gradient")
    require_same(found, table_of(method("gradient").attribute(p), [given]))
    with pytest.raises(InputError, match="no region to measure from"):
        region_table(p, [given], "gradient", shells=Shells())


def test_what_cannot_be_is_refused_in_one_line():
    p = problem((9, 14), Windows(roi=6, overlap=0.5))
    given = divisions(p)[1]
    other = Partition("other", torch.zeros(9, 13, dtype=torch.int32), ("all",), (1.0, 1.0))
    with pytest.raises(InputError, match=r"expected \(9, 14\)"):
        region_table(p, [other], "gradient")
    with pytest.raises(InputError, match="'given' twice"):
        region_table(p, [given, given], "gradient")
    with pytest.raises(InputError, match="'distance' twice"):
        own = Partition("distance", given.labels, given.regions, given.spacing)
        region_table(p, [own], "gradient", shells=SHELLS)
    with pytest.raises(InputError, match="no partition"):
        region_table(p, [], "gradient")
    with pytest.raises(InputError, match="groups"):
        region_table(p, [given], "gradient", groups=1)
    with pytest.raises(InputError, match="gradients"):
        region_table(p, [given], "gradients")
    probability = problem((9, 14), Windows(roi=6, overlap=0.5), AllClasses(score="probability"))
    with pytest.raises(TargetError, match="probability"):
        region_table(probability, [given], "lrp")


def test_names_of_methods_and_partitions():
    p = problem((9, 14), Windows(roi=6, overlap=0.5))
    given = divisions(p)[1]
    assert region_table(p, [given], method("gradient")).method == "gradient"
    assert region_table(p, [given], "gradient", label="mine").method == "mine"
    found = region_table(p, [given], "gradient")
    with pytest.raises(InputError, match="given"):
        found.matrix("mass", "give")
    with pytest.raises(InputError, match="absolute"):
        found.matrix("absolut", "given")
    only = region_table(p, [], "gradient", shells=SHELLS)
    assert [part.partition for part in only.parts] == ["distance", "context radius"]


def test_classes_whose_names_are_one_file_name_keep_their_regions():
    names = ("air", "a/b", "a b")
    model = Model(smooth_segmenter(2).double(), spatial_dims=2, windows=Windows(), classes=names)
    p = Problem(model, random_case((9, 14)), AllClasses(background=True), dtype=torch.float64)
    assert [t.name for t in p.targets] == ["air", "a-b", "a-b-2"]
    assert region_table(p, [predicted(p)], "gradient").targets == predicted(p).regions == names
    game = region_game(p, predicted(p), baseline="mean")
    assert game.targets == game.regions == names


def test_memory_of_the_band_is_the_problems(tmp_path):
    p = problem((6, 7, 14), Windows(roi=6, overlap=0.5), memory=1, scratch=tmp_path)
    free = problem((6, 7, 14), Windows(roi=6, overlap=0.5))
    divided = divisions(p)
    found = region_table(p, divided, "smoothgrad:draws=4", shells=SHELLS)
    require_same(found, region_table(free, divided, "smoothgrad:draws=4", shells=SHELLS), rtol=1e-14)
    assert not list(tmp_path.rglob("*.raw"))


def test_half_precision_is_refused_where_the_method_refuses_it():
    model = Model(smooth_segmenter(2), spatial_dims=2, windows=Windows(roi=6), precision="bf16")
    p = Problem(model, random_case((9, 14)), AllClasses(background=True))
    with pytest.raises(ModelError, match="bf16"):
        region_table(p, [predicted(p)], "lrp")
