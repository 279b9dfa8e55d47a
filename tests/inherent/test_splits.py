"""Splits keep patients whole and classes in proportion; a split that leaks is refused or warned of."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from inherent_samples import patches
from sklearn.model_selection import StratifiedGroupKFold

from voxplain.errors import InputError
from voxplain.inherent.data import (
    Sample,
    Samples,
    Split,
    check_split,
    cross_validation,
    given_split,
    near_duplicates,
    split_samples,
)
from voxplain.inherent.data.allocation import allocate

SHARES = (0.7, 0.15, 0.15)


def uneven(patients=60, seed=0, classes=3):
    """Patients with 1 to 9 images of mostly one class, the last one rare."""
    rng = np.random.default_rng(seed)
    items = []
    for patient in range(patients):
        own = int(rng.choice(classes, p=[0.6, 0.3, 0.1]))
        for number in range(rng.integers(1, 10)):
            label = own if rng.random() < 0.8 else int(rng.integers(classes))
            items.append(Sample(f"{patient}-{number}", np.zeros((1, 4, 4)), label, f"patient{patient}"))
    return Samples(tuple(items), tuple("abc"[:classes]))


def proportions(samples, part):
    return np.bincount([samples[i].label for i in part], minlength=len(samples.classes)) / len(part)


@pytest.mark.parametrize("seed", range(4))
def test_patients_are_whole_every_sample_is_used_once_and_classes_keep_their_share(seed):
    samples = uneven(seed=seed)
    split = split_samples(samples, seed=seed)
    owners = [{samples[i].group for i in part} for part in split.parts().values()]
    assert sum(map(len, owners)) == len(set().union(*owners)) == 60
    assert sorted(i for part in split.parts().values() for i in part) == list(range(len(samples)))
    whole = proportions(samples, range(len(samples)))
    for part, share in zip(split.parts().values(), SHARES, strict=True):
        assert abs(len(part) / len(samples) - share) < 0.03
        assert np.abs(proportions(samples, part) - whole).max() < 0.05


def test_equal_shares_are_as_well_stratified_as_scikit_learns():
    # the measure of StratifiedGroupKFold: how uneven each class's share is over the folds
    def unevenness(samples, fold, folds=5):
        counts = np.array(
            [
                [sum(samples[i].label == k for i in np.flatnonzero(fold == f)) for k in range(3)]
                for f in range(folds)
            ]
        )
        return (counts / counts.sum(0)).std(0).mean()

    ours, theirs = [], []
    for seed in range(6):
        samples = uneven(seed=seed)
        labels, groups = [s.label for s in samples], [s.group for s in samples]
        fold = np.empty(len(samples), int)
        peer = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        for number, (_, part) in enumerate(peer.split(labels, labels, groups)):
            fold[part] = number
        theirs.append(unevenness(samples, fold))
        ours.append(
            unevenness(samples, allocate(groups, np.eye(3, dtype=np.float32)[labels], [0.2] * 5, seed))
        )
    assert np.mean(ours) <= 1.1 * np.mean(theirs)


def test_a_seed_is_a_split_and_another_is_another():
    samples = uneven()
    assert split_samples(samples, seed=1) == split_samples(samples, seed=1)
    assert split_samples(samples, seed=1).test != split_samples(samples, seed=2).test


def test_shares_are_given_and_a_test_part_may_be_left_out():
    samples = uneven()
    split = split_samples(samples, {"train": 0.5, "validation": 0.5})
    assert not split.test and abs(len(split.train) - len(split.validation)) < 8
    with pytest.raises(InputError, match=r"shares: found .* add up to 1"):
        split_samples(samples, {"train": 0.5, "validation": 0.4})


def test_cross_validation_tests_on_everybody_once():
    samples = uneven()
    folds = cross_validation(samples, 4, seed=5)
    assert sorted(i for fold in folds for i in fold.test) == list(range(len(samples)))
    for fold in folds:
        assert (
            len(
                {samples[i].group for i in fold.test}
                & {samples[i].group for i in (*fold.train, *fold.validation)}
            )
            == 0
        )
        assert abs(len(fold.validation) / (len(samples) - len(fold.test)) - 0.2) < 0.05


def test_independent_labels_keep_their_shares_too():
    rng = np.random.default_rng(0)
    items = [
        Sample(
            str(i),
            np.zeros((1, 4, 4)),
            tuple(np.flatnonzero(rng.random(3) < (0.5, 0.3, 0.1)).tolist()),
            str(i // 2),
        )
        for i in range(300)
    ]
    samples = Samples(tuple(items), ("a", "b", "c"))
    split = split_samples(samples)
    for label in range(3):
        shares = [np.mean([label in samples[i].label for i in part]) for part in split.parts().values()]
        assert max(shares) - min(shares) < 0.05


def test_slices_are_split_apart_only_when_asked_and_with_a_warning_that_says_why():
    samples = uneven()
    with pytest.warns(UserWarning, match=r"Yagis et al. 2021 .* 29 to 55 points"):
        split = split_samples(samples, grouped=False)
    owners = [{samples[i].group for i in part} for part in split.parts().values()]
    assert owners[0] & owners[2] and not split.grouped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        split_samples(samples)


def test_unknown_patients_are_warned_of():
    items = tuple(Sample(str(i), np.zeros((1, 4, 4)), i % 2, str(i)) for i in range(40))
    with pytest.warns(UserWarning, match="not known for any of the 40 images"):
        split_samples(Samples(items, ("a", "b"), patients_known=False))


def given(parts, groups=None):
    groups = groups or [str(i) for i in range(len(parts))]
    items = tuple(Sample(str(i), np.zeros((1, 4, 4)), i % 2, g) for i, g in enumerate(groups))
    return Samples(items, ("a", "b"), tuple(parts))


def test_a_given_split_is_kept():
    split = given_split(given(["train", "train", "test", "test", "validation", "validation"]))
    assert (split.train, split.validation, split.test) == ((0, 1), (4, 5), (2, 3)) and split.seed is None


def test_a_given_split_without_validation_gets_one_from_train_by_patients():
    samples = given(["train"] * 40 + ["test"] * 4, [f"p{i // 4}" for i in range(40)] + list("wxyz"))
    split = given_split(samples, validation=0.2)
    assert len(split.validation) == 8 and split.test == (40, 41, 42, 43)
    assert not {samples[i].group for i in split.train} & {samples[i].group for i in split.validation}


def test_a_patient_on_both_sides_of_a_given_split_is_named():
    samples = given(["train", "train", "test", "test"], ["ann", "bob", "bob", "eve"])
    with pytest.raises(InputError, match=r"1 patient is in more than one part: bob \(train and test\)"):
        given_split(samples)


def test_a_class_that_is_missing_in_a_part_is_named():
    items = [Sample(str(i), np.zeros((1, 4, 4)), int(i < 2), str(i)) for i in range(40)]
    with pytest.raises(
        InputError, match=r"no sample of class 'rare' is in .*; patients who have it: 2, parts: 3"
    ):
        split_samples(Samples(tuple(items), ("common", "rare")))


def test_a_part_that_asks_for_too_much_is_refused():
    samples = uneven()
    with pytest.raises(InputError, match="an index twice"):
        check_split(samples, Split((0, 1), (1,), ()))
    with pytest.raises(InputError, match="beyond the"):
        check_split(samples, Split((0, 9999), (1,), ()))


def head(seed, edge=64):
    """A smooth blob picture, as scans are smooth."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, edge)] * 2))
    image = np.zeros((edge, edge))
    for _ in range(12):
        centre, width = rng.uniform(-0.8, 0.8, 2), rng.uniform(0.1, 0.4)
        image += rng.uniform(-1, 1) * np.exp(-((grid - centre[:, None, None]) ** 2).sum(0) / width**2)
    return torch.from_numpy(image[None]).float()


def test_copies_in_other_parts_are_found_however_they_were_saved():
    images = [head(seed) for seed in range(30)]
    generator = torch.Generator().manual_seed(0)
    images[20] = 0.7 * images[0] + 3  # another window
    images[21] = images[1] + 0.03 * torch.randn(images[1].shape, generator=generator)  # compression
    images[22] = torch.nn.functional.interpolate(images[2][None], (48, 48), mode="area")[0]  # another size
    images[3] = images[4]  # in the same part: no fault of the split
    split = Split(tuple(range(20)), tuple(range(20, 25)), tuple(range(25, 30)))
    found = near_duplicates(images.__getitem__, split)
    assert {(p.first, p.second) for p in found} == {(0, 20), (1, 21), (2, 22)}
    assert all(p.parts == ("train", "validation") and 0.9 <= p.alike <= 1 for p in found)


def test_copies_of_volumes_are_found_too():
    generator = torch.Generator().manual_seed(0)
    volumes = [torch.rand(1, 9, 10, 11, generator=generator) for _ in range(6)]
    volumes[5] = volumes[0] * 2
    assert [
        (p.first, p.second) for p in near_duplicates(volumes.__getitem__, Split((0, 1, 2), (3,), (4, 5)))
    ] == [(0, 5)]


def test_samples_of_the_toy_are_split_without_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        split_samples(patches())


def test_fewer_patients_than_parts_cannot_be_divided():
    samples = patches(patients=2, each=6)
    with pytest.raises(
        InputError, match=r"found 2 patients, expected at least 3, one for each part \(train, validation"
    ):
        split_samples(samples)
    with pytest.warns(UserWarning, match="grouped=False"):
        assert split_samples(samples, grouped=False, seed=0).test


@pytest.mark.parametrize("size", [(32, 32), (4, 4), (20, 24, 16)])
def test_strangers_of_one_anatomy_are_no_copies(size):
    """A bright body in dark air, the same in all, and noise of each one: of 40 one is a copy of another, with noise."""
    rng = np.random.default_rng(0)
    body = np.zeros(size)
    body[tuple(slice(n // 4, n - n // 4) for n in size)] = 10
    images = [torch.from_numpy((body + rng.normal(size=size))[None].astype(np.float32)) for _ in range(40)]
    images[33] = (
        images[7] * 1.5 + 3 + 0.05 * torch.randn(1, *size, generator=torch.Generator().manual_seed(0))
    )
    split = Split(tuple(range(20)), tuple(range(20, 30)), tuple(range(30, 40)))
    assert [(p.first, p.second) for p in near_duplicates(images.__getitem__, split)] == [(7, 33)]
