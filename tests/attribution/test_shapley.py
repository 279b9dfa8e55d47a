"""Shapley methods on networks: brute force through MONAI's stitched inference, axioms, and Captum's numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import KernelShap as CaptumKernelShap, ShapleyValues, ShapleyValueSampling
from coalitions import LAYOUTS, SCORES, Brute, blocks
from networks import classifier, random_case, smooth_segmenter
from peers import SETUPS, build

from voxplain.attribution import method
from voxplain.attribution.baseline import parse_baseline
from voxplain.attribution.shapley.contrast import ContrastShapley
from voxplain.attribution.shapley.design import EVEN, ODD, design
from voxplain.attribution.shapley.kernel import KernelShap
from voxplain.attribution.shapley.sampling import ShapleySampling
from voxplain.attribution.shapley.values import all_coalitions, exact_shapley
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, ClassScore, PredictedRegion, Voxel

pytestmark = pytest.mark.filterwarnings("ignore:Feature mask is missing", "ignore:No handler")
SMOOTH = Windows(roi=6, overlap=0.5)


def make(shape, windows, kind="logit", channels=2, net=None, targets=None, **kwargs):
    net = (net or smooth_segmenter(len(shape), channels)).double()
    return Problem(
        Model(net, spatial_dims=len(shape), windows=windows),
        random_case(shape, channels),
        targets or AllClasses(background=True, score=kind),
        dtype=torch.float64,
        **kwargs,
    )


def brute_force(p, labels, kind, baseline):
    owner = torch.as_tensor(labels - 1)
    owner = owner[None] if owner.dim() < p.image.dim() else owner
    reference = parse_baseline(baseline, p)(p)
    return Brute(p.model.module, p.image, reference, owner, p.model.windows, kind)


def check_painting(p, found, labels):
    """A region's share spread evenly over its voxels, nothing elsewhere."""
    sizes = np.bincount(labels.ravel())
    for t in p.present:
        values = found.values(t)
        assert values.shape == (1, *p.spatial_shape)
        for r, share in enumerate(found.region_values[t].tolist(), 1):
            np.testing.assert_allclose(
                values[0].numpy()[labels == r], share / sizes[r], rtol=1e-12, atol=1e-15
            )
        assert not values[0].numpy()[labels == 0].any()


@pytest.mark.parametrize(("kind", "local"), [*((kind, True) for kind in SCORES), ("logit", False)])
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_kernel_shap_of_few_regions_is_the_definition(shape, windows, kind, local):
    p = make(shape, windows, kind)
    labels = blocks(shape, (1, 5) if len(shape) == 2 else (1, 2, 2))
    truth = brute_force(p, labels, kind, 0.3).shapley()
    found = KernelShap(regions=labels, baseline=0.3, local=local).attribute(p)
    torch.testing.assert_close(found.region_values, truth, rtol=1e-9, atol=1e-11)
    check_painting(p, found, labels)
    for t, answer in enumerate(found.answers):
        assert answer.checks["completeness_gap"] < 1e-9 and "agreement" not in answer.checks
        assert answer.score == pytest.approx(float(p.clean_scores()[t]), rel=1e-10)
        assert "exact" in answer.note


@pytest.mark.parametrize("kind", ["logit", "log_probability"])
@pytest.mark.parametrize("antithetic", [True, False])
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS[::2])
def test_sampling_is_the_mean_gain_of_its_orders(shape, windows, kind, antithetic):
    p = make(shape, windows, kind, seed=4)
    labels = blocks(shape, (1, 5) if len(shape) == 2 else (1, 2, 2))
    chosen = ShapleySampling(regions=labels, baseline="mean", permutations=6, antithetic=antithetic)
    game = chosen._game(p, parse_baseline("mean", p))
    orders = chosen._orders(p, game).tolist()
    assert all(sorted(order) == list(range(labels.max())) for order in orders)
    if antithetic:
        assert orders[1::2] == [order[::-1] for order in orders[::2]]
    assert len({tuple(order) for order in orders}) > 3
    brute = brute_force(p, labels, kind, "mean")
    gains = torch.stack([brute.along(order).T for order in orders])
    found = chosen.attribute(p)
    torch.testing.assert_close(found.region_values, gains.mean(0), rtol=1e-9, atol=1e-11)
    check_painting(p, found, labels)
    odd = torch.arange(6) // (2 if antithetic else 1) % 2 == 1
    sizes = torch.from_numpy(np.bincount(labels.ravel())[1:])
    for t, answer in enumerate(found.answers):
        halves = [(gains[half, t].mean(0) / sizes).repeat_interleave(sizes) for half in (~odd, odd)]
        assert answer.checks["agreement"] == pytest.approx(
            float(torch.corrcoef(torch.stack(halves))[0, 1]), rel=1e-8
        )
        assert answer.checks["completeness_gap"] < 1e-9


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize("windows", [Windows(), SMOOTH, Windows(roi=8, overlap=0.5, padding="reflect")])
@pytest.mark.parametrize("shape", [(7, 9), (5, 6, 7)])
def test_contrasts_are_the_definition(shape, windows, kind):
    p = make(shape, windows, kind, channels=3)
    owner = torch.arange(3).reshape(3, *(1,) * len(shape)).expand(3, *shape)
    truth = brute_force(p, owner + 1, kind, "mean").shapley()
    found = ContrastShapley().attribute(p)
    torch.testing.assert_close(found.region_values, truth, rtol=1e-9, atol=1e-12)
    for t in range(3):
        assert found.values(t).shape == p.image.shape
        torch.testing.assert_close(found.values(t).flatten(1).sum(1), truth[t], rtol=1e-9, atol=1e-12)
        assert float(found.values(t).flatten(1).std(1).max()) < 1e-12, "spread evenly"
        assert found.answers[t].checks["channel 1"] == pytest.approx(float(truth[t, 1]), rel=1e-9)


@pytest.mark.parametrize("setup", SETUPS)
def test_captums_exact_values(setup):
    """Captum adds up in single precision, hence the tolerance."""
    problem, scores = build(setup)
    labels = blocks(problem.spatial_shape, (1, 4) if setup[0] == 2 else (1, 2, 2), nobody=False)
    found = KernelShap(regions=labels, baseline=0.3).attribute(problem)
    mask = torch.from_numpy(labels - 1).long()[None, None]
    for t in range(3):
        truth = ShapleyValues(scores).attribute(
            problem.image[None], baselines=0.3, target=t, feature_mask=mask, perturbations_per_eval=8
        )[0, 0]
        spread = found.region_values[t][mask[0, 0]]
        torch.testing.assert_close(spread, truth.detach().double(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("setup", SETUPS)
def test_captums_sampling_over_the_same_orders(setup):
    problem, scores = build(setup)
    labels = blocks(problem.spatial_shape, (1, 4) if setup[0] == 2 else (1, 2, 2), nobody=False)
    chosen = ShapleySampling(regions=labels, baseline=0.3, permutations=4)
    orders = chosen._orders(problem, chosen._game(problem, parse_baseline(0.3, problem)))
    peer = ShapleyValueSampling(scores)
    peer.permutation_generator = lambda *_: (order.tolist() for order in orders)
    mask = torch.from_numpy(labels - 1).long()[None, None]
    found = chosen.attribute(problem)
    for t in range(3):
        truth = peer.attribute(
            problem.image[None],
            baselines=0.3,
            target=t,
            feature_mask=mask,
            n_samples=4,
            perturbations_per_eval=8,
        )[0, 0]
        spread = found.region_values[t][mask[0, 0]]
        torch.testing.assert_close(spread, truth.detach().double(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dims", [2, 3])
def test_kernel_shap_is_closer_than_captums_with_the_same_budget(dims):
    """Twelve regions, 128 coalitions, five seeds; the truth is all 4096. Captum is unpaired and nearly complete."""
    problem, scores = build((dims, "classification", 1), smooth=1.0)
    labels = blocks(problem.spatial_shape, (3, 4) if dims == 2 else (2, 2, 3), nobody=False)
    truth = KernelShap(regions=labels, baseline=0.3, samples=4096).attribute(problem).region_values
    mask = torch.from_numpy(labels - 1).long()[None, None]
    ours, theirs, theirs_sum = [], [], []
    whole = (truth.sum(1)).norm()
    for seed in range(5):
        problem.seed = seed
        found = KernelShap(regions=labels, baseline=0.3, samples=128).attribute(problem)
        assert found.passes.forward == 128
        assert max(a.checks["completeness_gap"] for a in found.answers) < 1e-9
        torch.manual_seed(seed)
        peer = torch.stack(
            [
                CaptumKernelShap(scores).attribute(
                    problem.image[None],
                    baselines=0.3,
                    target=t,
                    feature_mask=mask,
                    n_samples=128,
                    perturbations_per_eval=16,
                )[0, 0]
                for t in range(3)
            ]
        ).double()
        peer = torch.stack([peer[:, mask[0, 0] == r].mean(1) for r in range(12)], 1)
        ours.append(float((found.region_values - truth).norm() / truth.norm()))
        theirs.append(float((peer - truth).norm() / truth.norm()))
        theirs_sum.append(float((peer.sum(1) - truth.sum(1)).norm() / whole))
    assert max(ours) < min(theirs) / 2
    assert min(theirs_sum) > 1e-8, "the peer's shares add up by a large weight, not exactly"


REGION_METHODS = [
    pytest.param("kernel_shap", {}, id="exact"),
    pytest.param("kernel_shap", {"samples": 24}, id="drawn"),
    pytest.param("kernel_shap", {"samples": 48, "local": False}, id="drawn-common"),
    pytest.param("shapley_sampling", {"permutations": 4}, id="sampling"),
]


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize(("name", "extra"), REGION_METHODS)
def test_shares_add_up_to_the_difference(name, extra, kind):
    p = make((9, 8, 7), SMOOTH, kind)
    found = method(name, size=5, baseline="blur:2", **extra).attribute(p)
    hidden = parse_baseline("blur:2", p)(p)
    difference = p.clean_scores() - p.scores([hidden])[0]
    assert found.region_values.shape == (3, 8)
    torch.testing.assert_close(found.region_values.sum(1), difference, rtol=1e-9, atol=1e-11)
    for t in range(3):
        assert float(found.values(t).sum()) == pytest.approx(float(difference[t]), rel=1e-9)
        assert found.answers[t].checks["completeness_gap"] < 1e-9


@pytest.mark.parametrize("kind", ["logit", "probability"])
@pytest.mark.parametrize(("name", "extra"), REGION_METHODS)
def test_a_region_that_the_score_cannot_see_gets_zero(name, extra, kind):
    """The receptive field reaches 2 voxels from voxel (1, 1), the first window 6: columns 4 and 5 are dummies of it."""
    p = make((8, 14), SMOOTH, targets=Voxel(index=(1, 1), class_name=1, score=kind))
    labels = blocks((8, 14), (2, 7), nobody=False)
    found = method(name, regions=labels, baseline=0.3, **extra).attribute(p).region_values[0]
    sees = [int(v) - 1 for v in np.unique(labels[:4, :4])]
    blind = [r for r in range(14) if r not in sees]
    assert sees == [0, 1] and (found[sees] != 0).all()
    if name == "kernel_shap" and extra:
        # a regression over drawn coalitions finds the dummy's zero to rounding at best
        assert float(found[blind].abs().max()) < 0.05 * float(found.abs().max())
    else:
        assert not found[blind].any(), "exactly zero"


@pytest.mark.parametrize("name", ["kernel_shap", "shapley_sampling", "contrast_shapley"])
@pytest.mark.parametrize("kind", ["logit", "probability"])
@pytest.mark.parametrize("windows", [Windows(), SMOOTH])
def test_a_channel_that_the_network_ignores_is_a_dummy(name, windows, kind):
    net = smooth_segmenter(2, 2)
    with torch.no_grad():
        net[0].weight[:, 1] = 0
    p = make((8, 9), windows, kind, net=net)
    if name == "contrast_shapley":
        found = method(name).attribute(p)
        assert not found.region_values[:, 1].any() and (found.region_values[:, 0] != 0).all()
        assert not found.values(0)[1].any()
    else:  # its values do not matter to regions either
        case = random_case((8, 9), 2)
        changed = Case("other", np.concatenate([case.image[:1], case.image[1:] + 1]))
        q = Problem(p.model, changed, AllClasses(background=True, score=kind), dtype=torch.float64)
        a, b = (method(name, size=4, baseline=0.3).attribute(x).region_values for x in (p, q))
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("kind", SCORES)
def test_players_that_do_the_same_get_the_same(kind):
    """Two equal channels whose weights are equal; and regions that mirror each other for a mirrored network."""
    net = smooth_segmenter(2, 2)
    with torch.no_grad():
        net[0].weight[:, 1] = net[0].weight[:, 0]
        for layer in (net[0], net[2]):
            layer.weight += layer.weight.flip(-1).clone()
    half = random_case((6, 5)).image
    image = np.concatenate([half, half[..., ::-1]], axis=-1)  # columns mirrored
    model = Model(net.double(), spatial_dims=2)
    p = Problem(
        model,
        Case("twice", np.repeat(image, 2, axis=0)),
        AllClasses(background=True, score=kind),
        dtype=torch.float64,
    )
    contrasts = ContrastShapley().attribute(p).region_values
    torch.testing.assert_close(contrasts[:, 0], contrasts[:, 1], rtol=1e-10, atol=1e-13)
    labels = blocks((6, 10), (1, 4), nobody=False)  # columns 0-2, 3-4, 5-7, 8-9
    labels[:, 2], labels[:, 7] = 2, 3  # 0-1, 2-4, 5-7, 8-9
    labels[labels == 1], labels[:, 8:] = 1, 4
    found = KernelShap(regions=labels, baseline=0.0).attribute(p).region_values
    torch.testing.assert_close(found, found.flip(1), rtol=1e-9, atol=1e-12)
    assert float((found[:, 0] - found[:, 1]).abs().min()) > 1e-6


@pytest.mark.parametrize(
    ("name", "extra"), [*REGION_METHODS, pytest.param("contrast_shapley", {}, id="contrasts")]
)
def test_values_are_linear_in_the_score(name, extra):
    """With a frozen rival, margin = own logit − rival's logit, and so are their shares, draw by draw."""
    net = classifier(2, 2).double()
    model = Model(net, spatial_dims=2)
    case = random_case((12, 9), 2)
    found = {}
    for kind in ("logit", "margin"):
        p = Problem(model, case, [ClassScore(c, score=kind) for c in range(3)], dtype=torch.float64, seed=3)
        parts = {} if name == "contrast_shapley" else {"size": 4}
        found[kind] = method(name, **parts, **extra).attribute(p).region_values
    z = net(p.image[None])[0].detach()
    for c in range(3):
        others = z.clone()
        others[c] = -torch.inf
        rival = int(others.argmax())
        truth = found["logit"][c] - found["logit"][rival]
        torch.testing.assert_close(found["margin"][c], truth, rtol=1e-9, atol=1e-12)


def test_windows_of_their_own_need_fewer_coalitions_and_draw_less():
    """Eight columns of regions, windows that see three of them: 8 coalitions each are all there are."""
    p = make((6, 24), Windows(roi=(6, 9), overlap=1 / 3))
    labels = blocks((6, 24), (1, 8), nobody=False)
    truth = KernelShap(regions=labels, baseline=0.0, samples=256, local=False).attribute(p)
    found = KernelShap(regions=labels, baseline=0.0, samples=16).attribute(p)
    assert "exact" in truth.answers[0].note and "exact" in found.answers[0].note
    assert found.passes.forward == 4 * 2**3
    torch.testing.assert_close(found.region_values, truth.region_values, rtol=1e-9, atol=1e-12)
    with pytest.raises(InputError, match="samples=16 for 8 regions that play together, expected at least 22"):
        KernelShap(regions=labels, samples=16, local=False).attribute(p)
    with pytest.raises(InputError, match="for 8 regions"):
        KernelShap(regions=labels, samples=16).attribute(make((6, 24), p.model.windows, "probability"))


def test_drawn_games_of_windows_add_up_to_nearly_the_truth():
    """Nine regions play in each window: 60 of 512 coalitions are drawn per window."""
    p = make((12, 16), Windows(roi=12, overlap=0.5), "logit")
    labels = blocks((12, 16), (3, 4), nobody=False)
    truth = KernelShap(regions=labels, baseline=0.0, samples=512).attribute(p)
    found = KernelShap(regions=labels, baseline=0.0, samples=60).attribute(p)
    assert "exact" in truth.answers[0].note and "exact" not in found.answers[0].note
    error = (found.region_values - truth.region_values).norm() / truth.region_values.norm()
    assert 0 < float(error) < 0.02
    assert all(0.9 < a.checks["agreement"] <= 1 for a in found.answers)


def test_agreement_is_of_the_two_halves_of_the_draws():
    p = make((9, 12), Windows(), seed=2)
    labels = blocks((9, 12), (3, 4))
    chosen = KernelShap(regions=labels, baseline=0.0, samples=80)
    found = chosen.attribute(p)
    made = design(12, 80, np.random.default_rng([2, 1]))
    values = chosen._game(p, parse_baseline(0.0, p)).values(made.coalitions)
    torch.testing.assert_close(found.region_values, made.solve(values).T, rtol=1e-9, atol=1e-12)
    sizes = torch.from_numpy(np.bincount(labels.ravel())[1:])
    halves = [made.solve(values, half).T / sizes for half in (EVEN, ODD)]
    for t, answer in enumerate(found.answers):
        painted = torch.stack([half[t].repeat_interleave(sizes) for half in halves])
        agreement = answer.checks["agreement"]
        assert agreement == pytest.approx(float(torch.corrcoef(painted)[0, 1]), rel=1e-9) and agreement < 1


@pytest.mark.parametrize(
    ("name", "few", "enough", "said"),
    [
        ("kernel_shap", {"samples": 40}, {"samples": 70}, "70 samples"),
        ("shapley_sampling", {"permutations": 2}, {"permutations": 4}, "4 permutations"),
        ("shapley_sampling", {"permutations": 1, "antithetic": False}, {"permutations": 2}, "2 permutations"),
    ],
)
def test_too_few_draws_to_compare_are_said_to_be_and_what_is_enough_is_enough(name, few, enough, said):
    p = make((9, 12), Windows())
    labels = blocks((9, 12), (3, 4))
    for answer in method(name, regions=labels, **few).attribute(p).answers:
        assert "agreement" not in answer.checks and "how far off the values are" in answer.note
        assert f"{said} are enough to tell" in answer.note
    for answer in method(name, regions=labels, **{**few, **enough}).attribute(p).answers:
        assert "agreement" in answer.checks and "how far off" not in answer.note


@pytest.mark.parametrize("kind", ["margin", "probability"])
@pytest.mark.parametrize("local", [True, False])
def test_a_target_far_from_the_first_regions(kind, local):
    """Windows start at 0, 6, 12 and 15; the last two see the voxel and play regions 4 to 7 of eight."""
    p = make((6, 24), Windows(roi=(6, 9), overlap=1 / 3), targets=Voxel((2, 18), class_name=1, score=kind))
    chosen = KernelShap(regions=blocks((6, 24), (1, 8), nobody=False), baseline=0.0, local=local)
    found = chosen.attribute(p)
    truth = exact_shapley(chosen._game(p, parse_baseline(0.0, p)).values(all_coalitions(8)))
    torch.testing.assert_close(found.region_values, truth.T, rtol=1e-9, atol=1e-12)
    # the receptive field reaches columns 16 to 20, regions are 3 wide
    assert found.region_values[0].nonzero()[:, 0].tolist() == [5, 6]


def test_linear_and_other_scores_at_once_are_as_alone():
    windows, labels = SMOOTH, blocks((9, 11), (1, 5))
    asked = [PredictedRegion(class_name=1), PredictedRegion(class_name=1, score="probability")]
    together = KernelShap(regions=labels, baseline=0.0).attribute(make((9, 11), windows, targets=asked))
    for t, target in enumerate(asked):
        alone = KernelShap(regions=labels, baseline=0.0).attribute(make((9, 11), windows, targets=target))
        torch.testing.assert_close(together.region_values[t], alone.region_values[0], rtol=1e-10, atol=1e-13)
        assert together.answers[t].score == pytest.approx(alone.answers[0].score, rel=1e-12)


@pytest.mark.parametrize("kind", ["logit", "probability"])
@pytest.mark.parametrize("name", ["kernel_shap", "shapley_sampling", "contrast_shapley"])
def test_absent_targets_stay_absent(name, kind):
    net = smooth_segmenter(2, 2)
    with torch.no_grad():
        net[2].bias[2] = -100
    targets = [PredictedRegion(class_name=c, score=kind) for c in (1, 2)]
    p = make((8, 9), SMOOTH, net=net, targets=targets)
    parameters = {} if name == "contrast_shapley" else {"size": 4}
    chosen = method(name, **parameters)
    told, found = chosen.cost(p), chosen.attribute(p)
    assert [a.status for a in found.answers] == ["ok", "absent"]
    assert found.passes == told
    assert torch.isfinite(found.region_values[0]).all() and found.region_values[1].isnan().all()
    nothing = make((8, 9), SMOOTH, net=net, targets=targets[1])
    assert chosen.cost(nothing).forward == 0
    assert chosen.attribute(nothing).answers[0].status == "absent"


@pytest.mark.parametrize("name", ["kernel_shap", "shapley_sampling", "contrast_shapley"])
def test_a_score_that_ignores_the_image_is_said_to(name):
    net = smooth_segmenter(2, 2)
    with torch.no_grad():
        net[0].weight.zero_()
    p = Problem(Model(net, spatial_dims=2), random_case((7, 8), 2), AllClasses(background=True))
    found = method(name, **({} if name == "contrast_shapley" else {"size": 3})).attribute(p)
    assert {a.status for a in found.answers} <= {"zero", "absent"} and "zero" in {
        a.status for a in found.answers
    }


def test_names_and_percentages_of_contrasts():
    """F = mean of 3 a + b over the region, exactly 3 ā and b̄ against a baseline of zero."""

    class Weighted(torch.nn.Module):
        def forward(self, x):
            z = 3 * x[:, :1] + x[:, 1:]
            return torch.cat([-z, z], 1)

    image = np.abs(random_case((6, 7), 2).image) + 0.1
    case = Case("mr", image, meta={"channels": ["FLAIR", "T1"]})
    p = Problem(Model(Weighted(), spatial_dims=2, channels_in=2), case, "1", dtype=torch.float64)
    answer = ContrastShapley(baseline=0.0).attribute(p).answers[0]
    flair, t1 = 3 * image[0].mean(), image[1].mean()
    assert answer.checks["FLAIR"] == pytest.approx(flair, rel=1e-6)
    assert answer.checks["T1"] == pytest.approx(t1, rel=1e-6)
    share = flair / (flair + t1)
    assert answer.note.startswith(
        f"FLAIR {round(100 * share)} %, T1 {round(100 * (1 - share))} % of the difference of"
    )


def test_channels_without_names_are_numbered_and_pictures_have_colours():
    net = smooth_segmenter(2, 3)
    for meta, name in (
        ({}, "channel 1"),
        ({"mode": "RGB"}, "green"),
        ({"channels": ["a", "a", "b"]}, "channel 1"),
        ({"channels": ["a", "b"], "mode": "RGB"}, "channel 1"),
    ):
        case = Case("p", random_case((6, 7), 3).image, meta=meta)
        p = Problem(Model(net, spatial_dims=2), case, AllClasses(background=True))
        answer = ContrastShapley().attribute(p).answers[0]
        assert answer.checks[name] != 0 and name in answer.note


def test_shares_that_cancel_are_not_told_in_percent():
    from voxplain.attribution.shapley.contrast import told

    assert told(["a", "b"], [2.0, -1.99], 0.01) == "a +2, b -1.99, which cancel to 0.01"
    assert told(["a", "b"], [-1.0, -3.0], -4.0) == "b 75 %, a 25 % of the difference of -4"


@pytest.mark.parametrize("kind", ["logit", "probability"])
@pytest.mark.parametrize(("name", "extra"), REGION_METHODS)
def test_the_same_seed_gives_the_same_and_another_does_not(name, extra, kind):
    def ask(seed):
        p = make((12, 16), Windows(roi=12, overlap=0.5), kind, seed=seed)
        before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        found = method(name, size=(6, 4), **extra).attribute(p)
        assert torch.equal(before[0], torch.random.get_rng_state())
        assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
        return found.region_values

    first = ask(0)
    assert torch.equal(first, ask(0))
    assert torch.equal(first, ask(1)) == (not extra), "only exact answers need no seed"


def test_doubtful_draws_are_said_to_be(monkeypatch):
    from voxplain.attribution.shapley import region_shapley

    p = make((8, 9), Windows())
    sure = ShapleySampling(size=4, permutations=4).attribute(p).answers[0].note
    assert "agree by only" not in sure
    monkeypatch.setattr(region_shapley, "DOUBTFUL", 1.1)
    unsure = ShapleySampling(size=4, permutations=4).attribute(p).answers[0].note
    assert "agree by only" in unsure and "use more permutations" in unsure
    alone = ShapleySampling(size=4, permutations=2).attribute(p).answers[0]
    assert "agreement" not in alone.checks and "exact" not in alone.note


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("kernel_shap", {"samples": 1}, "kernel_shap: found samples=1"),
        ("kernel_shap", {"size": 4, "supervoxels": 8}, "kernel_shap: found both size and supervoxels"),
        ("kernel_shap", {"size": 0}, "kernel_shap: found size=0"),
        (
            "kernel_shap",
            {"size": (4, 4, 4)},
            r"kernel_shap: size has 3 numbers \(4, 4, 4\), expected one or 2",
        ),
        ("shapley_sampling", {"supervoxels": 1}, "shapley_sampling: found 1 supervoxels"),
        ("shapley_sampling", {"permutations": 0}, "shapley_sampling: found permutations=0"),
        ("shapley_sampling", {"permutations": 5}, "expected an even number"),
        (
            "shapley_sampling",
            {"regions": np.zeros((8, 9))},
            "shapley_sampling: the region map holds no value",
        ),
        ("kernel_shap", {"baseline": "grey"}, "baseline: found 'grey'"),
        ("contrast_shapley", {"baseline": "grey"}, "baseline: found 'grey'"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_one_line(name, parameters, message):
    p = make((8, 9), Windows())
    with pytest.raises(InputError, match=message) as caught:
        method(name, **parameters).attribute(p)
    assert "\n" not in str(caught.value)


def test_contrasts_need_two_channels_and_at_most_twelve():
    with pytest.raises(InputError, match="one channel"):
        ContrastShapley().attribute(make((8, 9), Windows(), channels=1))
    with pytest.raises(InputError, match=r"13 channels, which makes 2\^13 choices"):
        ContrastShapley().attribute(make((8, 9), Windows(), channels=13))


def test_default_regions_are_supervoxels():
    p = make((12, 14), Windows())
    found = ShapleySampling(permutations=2).attribute(p)
    assert 30 < len(found.regions) < 170
    assert sum(r.count for r in found.regions) == 12 * 14


def test_a_region_may_be_painted_with_its_whole_share():
    labels = blocks((8, 9), (2, 3))
    found = ShapleySampling(regions=labels, paint="effect").attribute(make((8, 9), SMOOTH))
    for r, share in enumerate(found.region_values[1].tolist(), 1):
        np.testing.assert_allclose(found.values(1)[0].numpy()[labels == r], share, rtol=1e-12)
    assert found.unit == "score" and found.voxel_power == 0
    assert all(a.checks["completeness_gap"] < 1e-9 for a in found.answers)


def test_maps_may_live_on_disk(tmp_path):
    labels = blocks((8, 9), (2, 3))
    truth = KernelShap(regions=labels).attribute(make((8, 9), SMOOTH))
    found = KernelShap(regions=labels).attribute(make((8, 9), SMOOTH, memory=0, scratch=tmp_path))
    assert found.maps.on_disk
    for t in range(3):
        torch.testing.assert_close(found.values(t), truth.values(t), rtol=1e-12, atol=1e-15)
