"""The harder disease: twins that differ where they may, nuisance that tells nothing, and what it leaves of PCA."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from voxplain.counterfactual.generator.pca import PcaGenerator
from voxplain.errors import InputError
from voxplain.phantom import MIXED_CLASSES, diseased_subject, mixed_subject
from voxplain.phantom.disease import KINDS
from voxplain.phantom.disease.spot_rule import SpotRule

COUNT = 90


@pytest.fixture(scope="module")
def pairs():
    return [mixed_subject((24, 24), seed=2, subject=i) for i in range(COUNT)]


@pytest.mark.parametrize("shape", [(24, 24), (14, 14, 14)])
@pytest.mark.parametrize("kind", KINDS)
def test_twins_differ_in_the_support_of_the_disease_alone(shape, kind):
    pair = mixed_subject(shape, seed=1, subject=5, kind=kind)
    change = pair.diseased.image[0] - pair.healthy.image[0]
    assert np.allclose(change, pair.effect, atol=1e-6)  # the noise is the same
    beyond = np.abs(pair.effect[~pair.support])
    assert beyond.max() < 1e-3 if kind == "atrophy" else not beyond.any()
    assert 0.05 < np.abs(pair.effect[pair.support]).max() < 0.8
    assert not pair.support.all()


def test_lesions_are_the_formula_times_gain_and_bias():
    pair, double = (
        mixed_subject((32, 32), seed=3, kind="lesions", severity=s, noise=0.0) for s in (0.5, 1.0)
    )
    assert np.allclose(2 * pair.effect, double.effect, atol=1e-5)
    flat = mixed_subject((32, 32), seed=3, kind="lesions", severity=1.0, bias=0.0, gain=0.0)
    assert float(flat.effect.max()) == pytest.approx(0.3, rel=0.25)  # of 0.3 at a centre, between voxels
    assert np.array_equal(flat.support, double.support)  # the scanner moves nothing
    scanner = double.noise_free[0][flat.support] / flat.noise_free[0][flat.support]
    assert np.allclose(double.effect[flat.support], flat.effect[flat.support] * scanner, atol=1e-4)
    assert (double.diseased.label == MIXED_CLASSES.index("lesion")).any()


def test_without_severity_both_are_one_image():
    for kind in KINDS:
        none = mixed_subject((16, 16), seed=0, kind=kind, severity=0.0)
        assert np.array_equal(none.healthy.image, none.diseased.image)
        assert np.array_equal(none.healthy.label, none.diseased.label)


def test_seeds_decide_and_the_healthy_twin_does_not_know_the_kind():
    one, same, other = (mixed_subject((16, 16), seed=s, subject=1) for s in (0, 0, 1))
    assert np.array_equal(one.diseased.image, same.diseased.image)
    assert not np.array_equal(one.healthy.image, other.healthy.image)
    healthy = [mixed_subject((16, 16), seed=0, subject=1, kind=kind).healthy.image for kind in KINDS]
    assert np.array_equal(*healthy)


def test_without_nuisance_atrophy_is_the_easy_phantoms():
    amounts = {"bend": 3.0, "jitter": 3.0, "severity": 1.0, "noise": 0.0}
    hard = mixed_subject((24, 24), seed=4, subject=2, kind="atrophy", bias=0.0, gain=0.0, **amounts)
    easy = diseased_subject((24, 24), seed=4, subject=2, **amounts)
    assert np.allclose(hard.effect, easy.noise_free[1] - easy.noise_free[0], atol=1e-6)


def test_brightness_alone_does_not_tell_the_class(pairs):
    assert {pair.kind for pair in pairs} == set(KINDS)
    means = [[getattr(p, name).image.mean() for p in pairs] for name in ("healthy", "diseased")]
    assert abs(roc_auc_score([0] * COUNT + [1] * COUNT, np.concatenate(means)) - 0.5) < 0.06


def test_no_direction_of_pca_is_the_effect_of_subjects_with_lesions(pairs):
    """The best that one direction for all can do is their mean effect."""
    images = torch.from_numpy(np.stack([p.diseased.image for p in pairs]))
    generator = PcaGenerator.fit(images, 0.95)
    found = {}
    for kind in KINDS:
        effects = np.stack([p.effect for p in pairs if p.kind == kind])[:, None]
        mean = generator.mean + torch.from_numpy(effects.mean(0))[None]
        step = (generator.decode(generator.encode(mean)) - generator.mean)[0].numpy()
        found[kind] = np.mean([np.corrcoef(step.ravel(), e.ravel())[0, 1] for e in effects])
    assert found["lesions"] < 0.4
    assert found["lesions"] < 0.6 * found["atrophy"]


def test_the_spot_rule_finds_lesions_and_reads_its_window_alone():
    lesions = [mixed_subject((32, 32), seed=6, subject=i, kind="lesions") for i in range(60)]
    groups = [np.stack([getattr(p, name).image for p in lesions]) for name in ("healthy", "diseased")]
    rule = SpotRule.fitted(groups[0][:30], groups[1][:30])
    logits = [rule.logit(torch.from_numpy(group)) for group in groups]
    assert torch.allclose(torch.stack([z[:30].mean() for z in logits]), torch.tensor([-4.0, 4.0]), atol=1e-2)
    right = torch.cat([logits[0][30:] < 0, logits[1][30:] > 0]).float().mean()
    assert right > 0.75
    brighter = rule.logit(torch.from_numpy(1.3 * groups[1]))
    assert torch.allclose(brighter, logits[1], atol=1e-2)  # a gain is nothing to it
    x = torch.from_numpy(groups[1][:8]).requires_grad_()
    (slope,) = torch.autograd.grad(rule(x)[:, 1].sum(), x)
    read = slope.abs().mean((0, 1))
    assert float(read[:4, :4].max()) < 1e-2 * float(read.max())  # the corner is beyond the body
    counted = rule.amount(x).square() - 1e-3
    assert torch.allclose(rule.logit(x), 4 * ((counted + 1e-3).sqrt() - rule.middle) / rule.gap, atol=1e-4)


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="kind: found 'tumour'"):
        mixed_subject((8, 8), seed=0, kind="tumour")
    with pytest.raises(InputError, match="gain: 1"):
        mixed_subject((8, 8), seed=0, gain=1.0)
    with pytest.raises(InputError, match="severity"):
        mixed_subject((8, 8), seed=0, severity=-1.0)
    images = np.stack([mixed_subject((16, 16), seed=0, subject=i).healthy.image for i in range(4)])
    with pytest.raises(InputError, match="diseased: found √A"):
        SpotRule.fitted(images, images)
