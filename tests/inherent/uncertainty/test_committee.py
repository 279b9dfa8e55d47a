"""A committee is the mean and spread of its answers, asked by hand; what is dropped depends on the draw alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score
from torch import nn

from voxplain.errors import InputError
from voxplain.inherent import Committee, GPUNet
from voxplain.inherent.uncertainty import agreement, all_flips, ensemble, errors_told, spread, thinned, turned


def net(seed: int, dropout: float = 0.0) -> GPUNet:
    torch.manual_seed(seed)
    return GPUNet(1, 3, widths=(4, 6), pool="topk:share=0.1", dropout=dropout).eval()


def asked(network):
    """As NumPy knows it: image (C, *S) -> logits (K,), evidence (K, *S)."""

    def predict(image):
        found = network.explain(torch.from_numpy(np.ascontiguousarray(image))[None])
        return found.logits[0].numpy(), found.evidence[0].numpy()

    return predict


def images(count=2) -> torch.Tensor:
    return torch.rand(count, 1, 8, 6, generator=torch.Generator().manual_seed(0))


def test_an_ensemble_of_mirrored_networks_is_all_of_their_answers():
    members, x = [net(0), net(1)], images()
    found = Committee(members, mirrored=True).explain(x)
    each = [turned(asked(m), all_flips(2)) for m in members]
    for i, image in enumerate(x.numpy()):
        truth = spread(answer for answers in each for answer in answers(image))
        np.testing.assert_allclose(found.logits[i], truth.logits, atol=1e-5)
        np.testing.assert_allclose(found.evidence[i], truth.evidence, atol=1e-5)
        np.testing.assert_allclose(found.deviation[i], truth.deviation, atol=1e-5)
        told = agreement(found.member_logits[:, i].numpy())
        np.testing.assert_allclose(told["mean probability"], truth.probabilities, atol=1e-6)
        assert told["entropy"] == pytest.approx([truth.entropy] * 3)
        assert told["mutual information"] == pytest.approx([truth.mutual_information] * 3, abs=1e-6)
    torch.testing.assert_close(found.contribution.flatten(2).sum(2), found.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(Committee(members, mirrored=True)(x).detach(), found.logits)
    by_hand = spread(ensemble([asked(m) for m in members])(x[0].numpy()))
    np.testing.assert_allclose(Committee(members).explain(x).deviation[0], by_hand.deviation, atol=1e-5)


def test_one_answer_has_no_spread():
    found = Committee([net(0)]).explain(images())
    assert not found.deviation.any() and torch.equal(found.evidence, net(0).explain(images()).evidence)


def test_what_is_dropped_is_the_same_for_every_image_and_at_every_time():
    network, x = net(0, dropout=0.5), images(3)
    state = torch.get_rng_state()
    found = Committee([network], draws=4).explain(x)
    alone = Committee([network], draws=4).explain(x[2:])
    torch.testing.assert_close(alone.evidence[0], found.evidence[2], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(alone.deviation[0], found.deviation[2], atol=1e-6, rtol=1e-5)
    assert found.deviation.max() > 0 and len(found.member_logits) == 4
    other = Committee([network], draws=4, seed=1).explain(x)
    assert not torch.allclose(other.evidence, found.evidence)
    assert torch.equal(torch.get_rng_state(), state)
    # and the network is as it was
    torch.testing.assert_close(network.explain(x).evidence, net(0, dropout=0.5).explain(x).evidence)


@pytest.mark.parametrize(("layer", "whole"), [(nn.Dropout2d(0.25), True), (nn.Dropout(0.25), False)])
def test_units_are_dropped_at_their_rate_and_the_others_are_larger(layer, whole):
    network, x = nn.Sequential(layer).eval(), torch.ones(2, 50, 6, 7)
    draws = []
    for draw in range(40):
        with thinned(network, draw):
            out = network(x)
        assert torch.equal(out[0], out[1])
        assert set(out.unique().tolist()) <= {0.0, torch.tensor(1 / 0.75).item()}
        maps = out[0].flatten(1)
        assert bool((maps.amax(1) == maps.amin(1)).all()) == whole
        draws.append(float((out[0] == 0).float().mean()))
    assert np.mean(draws) == pytest.approx(0.25, abs=0.03) and len(set(draws)) > 3
    assert torch.equal(network(x), x)


def test_agreement_of_independent_labels_is_that_of_each_yes_or_no():
    logits = np.random.default_rng(0).normal(size=(5, 3))
    told, p = agreement(logits, independent=True), expit(logits)
    for k in range(3):
        pairs = np.stack([p[:, k], 1 - p[:, k]], axis=1)
        assert told["probability deviation"][k] == pytest.approx(p[:, k].std())
        assert told["entropy"][k] == pytest.approx(entropy(pairs.mean(axis=0)))
        expected = entropy(pairs.mean(axis=0)) - entropy(pairs, axis=1).mean()
        assert told["mutual information"][k] == pytest.approx(expected)


def test_whether_confidence_tells_errors_is_an_area_under_a_curve():
    rng = np.random.default_rng(0)
    right = rng.random(60) < 0.7
    sure = rng.random(60) + 0.4 * right
    names = [f"c{i:02d}" for i in range(60)]
    rows = {r["metric"]: r for r in errors_told(sure, right, names, names, draws=100)}
    area = rows["auroc of right decisions"]
    assert (
        area["value"] == pytest.approx(roc_auc_score(right, sure))
        and area["low"] < area["value"] < area["high"]
    )
    assert rows["gain of rejection in accuracy"]["value"] > 0
    none_wrong = errors_told(sure, np.ones(60, bool), names, names, draws=5)
    assert np.isnan(none_wrong[0]["value"]) and none_wrong[1]["value"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Committee([]), "networks: found none"),
        (lambda: Committee([net(0)], draws=-1), "draws: found -1"),
        (lambda: Committee([net(0)], draws=2).explain(images()), "no layer that drops anything"),
    ],
)
def test_what_cannot_be_asked(make, message):
    with pytest.raises(InputError, match=message):
        make()
