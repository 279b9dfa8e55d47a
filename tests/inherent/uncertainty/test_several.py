"""Several answers about one image: turned, repeated, of several networks; and how far they agree."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy

from voxplain.errors import InputError
from voxplain.inherent.uncertainty import Turn, all_flips, ensemble, repeated, spread, turned

RNG = np.random.default_rng(0)


def by_voxel(image):
    """A network that treats each voxel by itself: it must follow every turn."""
    evidence = np.stack([np.zeros(image.shape[1:]), image[0] ** 2, image[0] - 1])
    return evidence.mean(axis=tuple(range(1, evidence.ndim))), evidence


def by_place(image):
    """A network that answers where a voxel lies: it follows none."""
    evidence = np.stack(
        [np.zeros(image.shape[1:]), np.arange(image[0].size, dtype=float).reshape(image.shape[1:])]
    )
    return evidence.mean(axis=tuple(range(1, evidence.ndim))), evidence


TURNS = [Turn((0,)), Turn((0, 1)), Turn((), 1), Turn((1,), 3), Turn((2,), 1, (1, 2)), Turn((0, 2), 1, (0, 2))]


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_a_turn_goes_back(turn):
    shape = (2, 4, 5, 6) if max([*turn.flips, *turn.plane]) == 2 else (2, 4, 5)
    image = RNG.normal(size=shape)
    assert np.array_equal(turn.back(turn(image)), image) and not np.array_equal(turn(image), image)


def test_a_quarter_turn_by_hand():
    image = np.array([[[1, 2], [3, 4]]])
    assert Turn((), 1)(image).tolist() == [[[2, 4], [1, 3]]]
    assert Turn((1,))(image).tolist() == [[[2, 1], [4, 3]]]


@pytest.mark.parametrize(("shape", "count"), [((1, 4, 5), 4), ((1, 3, 4, 5), 8)])
def test_a_network_that_follows_turns_has_no_spread(shape, count):
    image = RNG.normal(size=shape)
    found = spread(turned(by_voxel, [*all_flips(len(shape) - 1), Turn((), 1)])(image))
    logits, evidence = by_voxel(image)
    np.testing.assert_allclose(found.evidence, evidence, atol=1e-12)
    np.testing.assert_allclose(found.logits, logits, atol=1e-12)
    assert found.members == count + 1 and found.deviation.max() < 1e-7 and found.mutual_information < 1e-12


def test_a_network_that_does_not_is_averaged_over_places():
    image = np.zeros((1, 2, 2))
    found = spread(turned(by_place, all_flips(2))(image))
    # each voxel meets 0, 1, 2 and 3 once
    assert found.evidence[1].tolist() == [[1.5, 1.5], [1.5, 1.5]]
    np.testing.assert_allclose(found.deviation[1], np.std([0, 1, 2, 3]))


def test_spread_is_its_formulas():
    answers = [(RNG.normal(size=3), RNG.normal(size=(3, 4, 5))) for _ in range(7)]
    found = spread(iter(answers))
    logits, evidence = (np.stack(x) for x in zip(*answers, strict=True))
    p = softmax(logits, axis=1)
    np.testing.assert_allclose(found.evidence, evidence.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.deviation, evidence.std(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.probabilities, p.mean(axis=0))
    np.testing.assert_allclose(found.logits, logits.mean(axis=0))
    assert found.entropy == pytest.approx(entropy(p.mean(axis=0)))
    assert found.expected_entropy == pytest.approx(entropy(p, axis=1).mean())
    assert (
        found.mutual_information == pytest.approx(found.entropy - found.expected_entropy)
        and found.confidence == p.mean(axis=0).max()
    )


def test_members_that_contradict_each_other_know_nothing_together():
    sure = [(np.array([50.0, 0]), np.zeros((2, 1, 1))), (np.array([0, 50.0]), np.zeros((2, 1, 1)))]
    assert spread(sure).mutual_information == pytest.approx(np.log(2))
    assert spread([sure[0]] * 2).entropy == pytest.approx(0, abs=1e-12)


def test_chance_is_seeded_anew_for_every_image():
    rng = {}

    def predict(image):
        evidence = image + rng["now"].normal(size=(2, *image.shape[1:]))
        return evidence.mean(axis=(1, 2)), evidence

    def reseed(number):
        rng["now"] = np.random.default_rng(number)

    run = repeated(predict, 5, reseed, seed=3)
    first, between, again = (spread(run(np.zeros((1, 3, 3)) + k)) for k in (0, 1, 0))
    assert np.array_equal(first.evidence, again.evidence) and first.members == 5
    assert first.deviation.min() > 0 and not np.array_equal(first.evidence, between.evidence)
    other = spread(repeated(predict, 5, reseed, seed=4)(np.zeros((1, 3, 3))))
    assert not np.array_equal(other.evidence, first.evidence)


def test_an_ensemble_asks_every_member():
    image = RNG.normal(size=(1, 3, 4))
    double = lambda x: tuple(2 * a for a in by_voxel(x))  # noqa: E731
    found = spread(ensemble([by_voxel, double])(image))
    np.testing.assert_allclose(found.evidence, 1.5 * by_voxel(image)[1])
    assert found.members == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: turned(by_voxel, []), "turns: found none"),
        (lambda: ensemble([]), "members: found none"),
        (lambda: repeated(by_voxel, 0, int), "draws: found 0"),
        (lambda: spread([]), "answers: found none"),
        (
            lambda: spread([by_voxel(np.zeros((1, 2, 2))), by_voxel(np.zeros((1, 3, 2)))]),
            r"found evidence \(3, 3, 2\)",
        ),
        (
            lambda: list(ensemble([lambda x: (np.zeros(2), np.zeros((2, 1, 1)))])(np.zeros((1, 2, 2)))),
            r"predict: found logits \(2,\), evidence \(2, 1, 1\)",
        ),
    ],
)
def test_what_is_no_answer_is_told(make, message):
    with pytest.raises(InputError, match=message):
        make()
