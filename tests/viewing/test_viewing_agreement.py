"""Agreement of readers against published examples, scikit-learn, and counting by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from voxplain.errors import InputError
from voxplain.viewing import Note
from voxplain.viewing.readers import icc, krippendorff, reader_agreement, told, weighted_kappa

N = float("nan")
# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", section E: four observers, twelve units
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
        [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
    ]
).T
# Shrout & Fleiss (1979), table 2: six targets, four judges
SHROUT = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)


def test_alpha_of_the_published_example():
    assert krippendorff(KRIPPENDORFF) == pytest.approx(0.815, abs=5e-4)


def test_alpha_by_its_definition_over_all_pairs():
    rng = np.random.default_rng(0)
    ratings = rng.integers(1, 6, (30, 4)).astype(float)
    ratings[rng.random(ratings.shape) < 0.3] = N
    units = [u[~np.isnan(u)] for u in ratings]
    units = [u for u in units if len(u) > 1]
    values = np.concatenate(units)

    def distance(a: float, b: float) -> float:
        low, high = min(a, b), max(a, b)
        between = sum((values == k).sum() for k in range(int(low), int(high) + 1))
        return float(between - ((values == low).sum() + (values == high).sum()) / 2) ** 2

    within = sum(sum(distance(a, b) for a, b in itertools.permutations(u, 2)) / (len(u) - 1) for u in units)
    apart = sum(distance(a, b) for a, b in itertools.permutations(values, 2)) / (len(values) - 1)
    assert krippendorff(ratings) == pytest.approx(1 - within / apart, abs=1e-12)


def test_icc_of_the_published_example():
    assert icc(SHROUT) == pytest.approx(0.29, abs=5e-3)
    assert icc(np.vstack([SHROUT, [5, N, 5, 5]])) == icc(SHROUT)  # who is not rated by all does not count


def test_kappa_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    first, second = rng.integers(1, 6, 40), rng.integers(1, 6, 40)
    second[:25] = first[:25]
    expected = cohen_kappa_score(first, second, weights="quadratic", labels=[1, 2, 3, 4, 5])
    assert weighted_kappa(first.astype(float), second.astype(float)) == pytest.approx(expected, abs=1e-12)
    with_gaps = np.append(first.astype(float), [N, 3]), np.append(second.astype(float), [2, N])
    assert weighted_kappa(*with_gaps) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "statistic", [krippendorff, icc, lambda r, w=None: weighted_kappa(r[:, 0], r[:, 1], w)]
)
def test_a_weight_counts_a_unit_so_often(statistic):
    ratings = np.random.default_rng(2).integers(1, 6, (12, 3)).astype(float)
    weights = np.array([0, 1, 2, 3, 0, 1, 1, 2, 1, 1, 0, 4])
    assert statistic(ratings, weights.astype(float)) == pytest.approx(
        statistic(np.repeat(ratings, weights, axis=0)), abs=1e-12
    )


def test_what_is_not_defined_is_no_number():
    same = np.full((5, 2), 3.0)
    alone = np.array([[1.0, N], [N, 2.0], [3.0, N]])
    for found in (
        krippendorff(same), krippendorff(alone), krippendorff(np.full((2, 2), N)), icc(same), icc(alone), icc(SHROUT[:, :1]),
        weighted_kappa(same[:, 0], same[:, 1]), weighted_kappa(alone[:, 0], alone[:, 1]),
    ):  # fmt: skip
        assert np.isnan(found)


def notes(
    ratings: np.ndarray, methods: tuple[str, ...] = ("lrp", "gradient"), letter: str = "A"
) -> list[Note]:
    """Of ratings (cases, methods, readers)."""
    return [
        Note("net", f"c{c}", methods[m], f"reader {r}", int(v), int(v), "", letter, "t")
        for (c, m, r), v in np.ndenumerate(ratings)
        if not np.isnan(v)
    ]


def test_methods_are_compared_by_the_mean_of_their_readers():
    ratings = np.array([[[5, 4], [1, 2]], [[5, N], [2, 2]], [[4, 4], [N, 1]], [[3, 5], [1, 1]]])
    found = reader_agreement(notes(ratings), draws=100)[0]
    assert [(m.method, m.cases, m.ratings) for m in found.methods] == [("lrp", 4, 7), ("gradient", 4, 7)]
    means = [m.mean.value for m in found.methods]
    assert means == pytest.approx([np.mean([4.5, 5, 4, 4]), np.mean([1.5, 2, 1, 1])])
    assert (found.cases, found.units, found.shared, found.whole) == (4, 8, 6, 6)
    assert found.alpha.value == pytest.approx(krippendorff(ratings.reshape(8, 2)))


def test_intervals_draw_whole_cases():
    """Methods of one case that always agree are no further evidence: the interval is as wide as with one method."""
    rng = np.random.default_rng(4)
    one = rng.integers(1, 6, (12, 1, 2)).astype(float)
    ten = np.repeat(one, 10, axis=1)
    names = tuple(f"m{n}" for n in range(10))
    narrow, wide = (reader_agreement(notes(r, names), draws=100)[0].pairs[0].kappa for r in (ten, one))
    assert narrow.value == pytest.approx(wide.value)
    assert (narrow.low, narrow.high) == pytest.approx((wide.low, wide.high))


@pytest.mark.long
def test_intervals_cover_the_true_mean():
    """Of 60 reader studies of 40 cases about 95 % of the intervals hold the mean that all cases have."""
    rng = np.random.default_rng(5)
    chances = [0.1, 0.2, 0.3, 0.25, 0.15]
    truth = float(np.dot(chances, range(1, 6)))
    held = 0
    for _ in range(60):
        ratings = rng.choice(range(1, 6), p=chances, size=(40, 1, 1)).astype(float)
        mean = reader_agreement(notes(ratings), draws=200)[0].methods[0].mean
        held += mean.low <= truth <= mean.high
    assert held >= 51  # fewer come once in a thousand runs where 95 % hold


def test_blinded_ratings_stand_before_others_and_the_last_version_counts():
    blinded = notes(np.array([[[5, 4], [1, 2]]]))
    later = Note("net", "c0", "lrp", "reader 0", 2, 2, "", "B", "u")
    about_cases = notes(np.array([[[3, 3]]]), ("",), letter="")
    found = reader_agreement([*blinded, *about_cases, later], draws=100)[0]
    assert {m.method: m.mean.value for m in found.methods} == {"lrp": 3.0, "gradient": 1.5}
    assert [m.method for m in reader_agreement(about_cases, draws=100)[0].methods] == ["the case"]
    with pytest.raises(InputError, match="nobody has rated"):
        reader_agreement([Note("net", "c", "", "a", None, None, "text")])


def test_the_table_says_what_is_not_defined():
    text = told(reader_agreement(notes(np.array([[[5.0], [1.0]], [[4.0], [2.0]]]))))
    assert "not defined" in text and "lrp" in text and "1 reader" in text
    assert "[" not in text.partition("Intervals")[0]  # two cases
