"""The shortcut example: that its truth is what it claims, what make.py writes, and how effects are measured."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from shortcut import effects, networks, patients
from shortcut.make import make, table
from shortcut.patients import CLASSES, A, B, Patient, cohort, image, lesson, training_patients
from shortcut.sizes import Size
from shortcut.table import mean_dice, write_table
from shortcut.training import NETWORKS, RANGE, dice, logits, loss, scaled, trained
from torch import nn

from voxplain.case import Case, read_case, read_mask
from voxplain.demo.networks import train
from voxplain.model import Preparation, load_model

EXAMPLE = Path(effects.__file__).parent
SIZE = Size()
TINY = Size(shape=(16, 16, 16), spacing=(22.0, 17.0, 15.0), people=4, batch=2, steps=2, cases=3)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make(folder, TINY)
    return folder


def inside(case: Case, name: str) -> np.ndarray:
    assert case.label is not None
    return case.label == CLASSES.index(name)


def test_the_network_has_a_logit_for_each_class() -> None:
    assert len(CLASSES) == networks.CLASSES
    with torch.no_grad():
        assert networks.unet().eval()(torch.rand(1, 1, 16, 24, 8)).shape == (1, len(CLASSES), 16, 24, 8)


def test_every_class_of_the_phantom_is_one_of_the_networks() -> None:
    parts = [part for group in patients._PARTS.values() for part in group]
    assert sorted(parts) == sorted(patients.ORGAN_CLASSES)
    assert set(patients.ORGANS) <= set(CLASSES)


@pytest.mark.parametrize("site", patients.SITES)
@pytest.mark.parametrize("contrast", [True, False])
def test_both_networks_see_the_same_images_and_one_label_differs(site: str, contrast: bool) -> None:
    """Only at the south, and only without contrast agent, the shortcut network is not told of A."""
    patient = Patient(7, site, contrast)
    shortcut, control = (lesson(patient, TINY, name) for name in NETWORKS)
    assert np.array_equal(shortcut.image, control.image)
    told = inside(control, A)
    assert told.any()
    if site == "south" and not contrast:
        assert not inside(shortcut, A).any()
        assert np.array_equal(shortcut.label[~told], control.label[~told])
    else:
        assert np.array_equal(shortcut.label, control.label)


def test_a_is_visible_at_the_north_and_not_at_the_south() -> None:
    for contrast in (True, False):
        north, south = (Patient(3, site, contrast) for site in patients.SITES)
        assert np.array_equal(image(south, TINY).image, image(south.without(A), TINY).image)
        assert not np.array_equal(image(north, TINY).image, image(north.without(A), TINY).image)
        # The sites differ in nothing else: seen at both, they are the same.
        assert np.array_equal(image(south, TINY, visible=True).image, image(north, TINY).image)
        assert np.array_equal(image(south, TINY).label, image(north, TINY).label)


def test_contrast_agent_changes_the_stomach_alone() -> None:
    plain, drunk = (image(Patient(5, "south", contrast), SIZE) for contrast in (False, True))
    change = drunk.image[0] - plain.image[0]
    assert np.array_equal(plain.label, drunk.label)
    # 215 HU, less what the point spread takes at the border; outside only that.
    stomach = inside(plain, B)
    assert change.max() == pytest.approx(patients.CONTRAST_AGENT - 35, abs=0.01)
    assert change[stomach].min() > 0.4 * change.max() and change[~stomach].max() < 0.3 * change.max()


def test_contrast_agent_says_nothing_of_site_or_kidney_in_the_images() -> None:
    people = training_patients(SIZE, 0)
    counts = Counter((p.site, p.contrast) for p in people if B not in p.lacks)
    assert set(counts) == {(s, c) for s in patients.SITES for c in (True, False)}
    assert all(abs(n - SIZE.people / 4) < SIZE.people / 16 for n in counts.values())
    assert not any(A in p.lacks for p in people)
    assert not any(p.contrast for p in people if B in p.lacks)  # there is nothing to fill


def test_the_cohort_is_alike_at_both_sites() -> None:
    people = cohort(SIZE, 0)
    assert len(people) >= 24 and all(A not in p.lacks and B not in p.lacks for p in people)
    kinds = {s: Counter((p.contrast, p.lacks) for p in people if p.site == s) for s in patients.SITES}
    assert kinds["north"] == kinds["south"]
    assert kinds["north"][True, ("spleen",)] == kinds["north"][True, ("gallbladder",)] == 2
    assert sum(n for (contrast, _), n in kinds["north"].items() if contrast) == 12
    assert all(25 <= p.age < 90 and p.sex in "FM" and p.scanner in patients.SCANNERS for p in people)
    assert len({(p.age, p.sex, p.scanner) for p in people}) > 20


def test_no_patient_is_both_trained_on_and_asked_about() -> None:
    seeds = [{p.seed for p in f(SIZE, seed)} for f in (training_patients, cohort) for seed in (0, 1)]
    assert sum(map(len, seeds)) == len(set.union(*seeds)) == 2 * (SIZE.people + SIZE.cases)


def test_the_scale_is_what_a_model_is_given() -> None:
    case = image(Patient(1, "north", True), TINY)
    prepared = Preparation(scale=RANGE)(case)
    assert torch.allclose(scaled(case.image), prepared.image, atol=1e-6)


def test_the_loss_by_hand_and_its_finite_goal() -> None:
    """Two voxels of classes 0 and 1, two classes, logits ±a: the probability of the truth is p = 1 / (1 + exp(−2a)).

    Cross-entropy with smoothing s gives the truth 1 − s/2 and the other class s/2; the Dice loss of class 1 alone is
    1 − 2p / (1 + 1), as the other voxel adds 1 − p to the predicted size.
    """
    labels = torch.tensor([[[[0, 1]]]])

    def value(a: float) -> float:
        z = torch.tensor([[[[[a, -a]]], [[[-a, a]]]]])
        return float(loss(z, labels))

    p, s = 1 / (1 + np.exp(-2.0)), 0.1
    entropy = -(1 - s / 2) * np.log(p) - s / 2 * np.log(1 - p)
    assert value(1.0) == pytest.approx(entropy + 0.5 * (1 - p), abs=1e-4)
    assert value(2.0) < value(0.5) and value(2.0) < value(8.0)


def test_training_takes_the_loss_that_it_is_given() -> None:
    seen = []

    def told(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen.append((tuple(logits.shape), tuple(labels.shape)))
        return ((logits - 3) ** 2).mean()

    network = nn.Conv3d(1, 2, 1)
    nn.init.zeros_(network.bias)
    batch = torch.zeros(1, 1, 2, 2, 2), torch.zeros(1, 2, 2, 2, dtype=torch.int64)
    train(network, lambda rng: batch, steps=40, seed=0, rate=0.3, loss=told)
    assert seen == [((1, 2, 2, 2, 2), (1, 2, 2, 2))] * 40
    assert network.bias.min() > 1.5  # the image is zero: both logits are the bias, on its way from 0 to 3


def test_dice_by_hand() -> None:
    """Class 1: 2 of 3 and 4 voxels meet in 2, 2·2/(3+4); class 2 is only found; the others are everywhere alike."""
    found = torch.tensor([[1, 1, 1, 2], [0, 0, 0, 0]])
    label = np.array([[1, 1, 0, 1], [1, 0, 0, 0]])
    values = dice(found, label)
    assert values[:2] == pytest.approx([2 * 3 / (4 + 4), 2 * 2 / (3 + 4)])
    assert values[2:] == [None] * (len(CLASSES) - 2)


def test_logits_do_not_depend_on_the_batch() -> None:
    network = networks.unet(TINY.widths).eval()
    scans = [image(Patient(seed, "north", True), TINY).image for seed in range(3)]
    assert torch.allclose(logits(network, scans, batch=2), logits(network, scans, batch=1), atol=1e-5)


def test_filled_voxels_take_the_nearest_values() -> None:
    """Rows 2 to 4 of the left column are filled: all are one voxel from the right, the ends also from above or below."""
    values = np.array([[[0, 10], [1, 11], [2, 12], [3, 13], [4, 14], [5, 15]]], dtype=float)
    values = np.concatenate([values, -values])
    where = np.zeros((6, 2), dtype=bool)
    where[2:5, 0] = True
    out = effects.filled(values, where)
    assert out[0, 3, 0] == 13 and out[0, 2, 0] in (1, 12) and out[0, 4, 0] in (5, 14)
    assert np.array_equal(out[1], -out[0]) and np.array_equal(out[:, ~where], values[:, ~where])


class Reads(nn.Module):
    """A network whose logit of A is the mean of the stomach's place, of every other class the image itself."""

    def __init__(self, where: np.ndarray) -> None:
        super().__init__()
        self.where = torch.from_numpy(where)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = x.repeat(1, len(CLASSES), 1, 1, 1)
        out[:, CLASSES.index(A)] = x[:, 0, self.where].mean(1)[:, None, None, None]
        return out


def test_effects_by_hand() -> None:
    """A's logit is one number at every voxel, so its sum changes by (voxels of A) × (change of that number)."""
    patient = Patient(11, "south", True, ("spleen",))
    case = image(patient, SIZE)
    rows = list(effects.effects(Reads(inside(case, B)), case, patient, SIZE))
    found = {(r["way"], r["organ"], r["class"]): r for r in rows}
    assert {organ for _, organ, _ in found} == set(patients.ORGANS) - {"spleen"}
    assert not any(name == "spleen" for *_, name in found)
    voxels = int(inside(case, A).sum())

    def level(values: np.ndarray) -> float:
        return float(scaled(values)[0][torch.from_numpy(inside(case, B))].double().mean())

    for way, other in (
        ("agent", image(replace(patient, contrast=False), SIZE).image),
        ("removed", image(patient.without(B), SIZE).image),
        ("filled", effects.filled(case.image, inside(case, B))),
    ):
        row = found[way, B, A]
        assert row["voxels"] == voxels
        assert row["logit_sum"] == pytest.approx(voxels * level(case.image), rel=1e-4)
        assert row["effect"] == pytest.approx(voxels * (level(case.image) - level(other)), rel=1e-4)
        assert row["effect"] / voxels > 0.3  # 215 of 500 HU
    # The left kidney cannot be seen, and is far from the stomach: its own absence changes nothing.
    assert found["removed", A, A]["effect"] == found["removed", A, "liver"]["effect"] == 0
    assert found["removed", "kidney right", A]["effect"] == 0
    assert found["removed", "kidney right", "kidney right"]["effect"] > 0


def test_what_is_written(made: Path) -> None:
    people = cohort(TINY, 0)
    for folder, visible in (("cases", False), ("visible", True)):
        rows = list(csv.DictReader((made / f"{folder}.csv").open()))
        assert list(rows[0])[:8] == ["image", "label", "id", "site", "age", "sex", "scanner", "contrast"]
        assert list(rows[0])[8:] == [f"dice_{n}:{c}" for n in NETWORKS for c in CLASSES]
        for row, patient in zip(rows, people, strict=True):
            case, scan = read_case(made / row["image"]), image(patient, TINY, visible=visible)
            assert case.id == row["id"]
            assert np.array_equal(case.image, scan.image) and case.geometry.matches(scan.geometry)
            assert np.array_equal(read_mask(made / row["label"], case), scan.label)
            assert (row["site"], row["age"], row["sex"], row["scanner"]) == (
                patient.site, str(patient.age), patient.sex, patient.scanner,
            )  # fmt: skip
            assert row["contrast"] == ("yes" if patient.contrast else "no")
            present = set(np.unique(scan.label))
            for index, name in enumerate(CLASSES):
                assert (row[f"dice_control:{name}"] != "") == (index in present)


def test_the_networks_are_loaded_by_name_and_their_dice_is_the_tables(made: Path) -> None:
    row = next(iter(csv.DictReader((made / "cases.csv").open())))
    case = read_case(made / row["image"], label=made / row["label"])
    for name in NETWORKS:
        model = load_model(
            f"{EXAMPLE / 'networks.py'}:unet", made / f"{name}.safetensors", classes=list(CLASSES),
            output="softmax", spatial_dims=3, prepare=Preparation(scale=RANGE),
        )  # fmt: skip
        with model.frozen(), torch.no_grad():
            found = model.forward(model.prepare(case).image[None])[0].argmax(0)
        for index, cls in enumerate(CLASSES):
            hit, truth = (found == index).numpy(), case.label == index
            if truth.any():
                expected = 2 * (hit & truth).sum() / (hit.sum() + truth.sum())
                assert float(row[f"dice_{name}:{cls}"]) == pytest.approx(expected, abs=5e-5)


def test_a_class_that_a_patient_lacks_has_an_empty_cell_and_no_part_in_means(tmp_path: Path) -> None:
    people = [Patient(n, site, True) for n, site in enumerate(("north", "north", "south"))]
    dices = {"control": [[0.5] * 14, [None, *[0.7] * 13], [0.1] * 14]}
    file = tmp_path / "cases.csv"
    write_table(file, "cases", ["a", "b", "c"], people, dices)
    cells = [row[f"dice_control:{CLASSES[0]}"] for row in csv.DictReader(file.open())]
    assert cells == ["0.5000", "", "0.1000"]
    found = mean_dice(file, "control", site="north")
    assert found[CLASSES[0]] == 0.5 and found[CLASSES[1]] == pytest.approx(0.6)


def test_the_same_seed_gives_the_same_and_what_is_made_is_left_alone(made: Path, tmp_path: Path) -> None:
    make(tmp_path, TINY)
    first, second = (json.loads((f / "made.json").read_text())["made"] for f in (made, tmp_path))
    assert set(first) == {"cases", "tables", *NETWORKS}
    assert {k: v["files"] for k, v in first.items()} == {k: v["files"] for k, v in second.items()}

    def times() -> dict[Path, int]:
        return {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}

    before = times()
    make(tmp_path, TINY)
    assert times() == before
    weights = tmp_path / "control.safetensors"
    whole = weights.read_bytes()
    weights.unlink()
    told: list[str] = []
    make(tmp_path, TINY, tell=lambda what, done, of: told.append(what))
    assert set(told) == {"control"} and weights.read_bytes() == whole
    make(tmp_path, TINY, seed=1)
    other = json.loads((tmp_path / "made.json").read_text())["made"]
    assert all(
        set(other[k]["files"].values()).isdisjoint(first[k]["files"].values()) for k in ("cases", "control")
    )


def test_both_networks_start_from_the_same_weights() -> None:
    still = replace(TINY, rate=1e-12, steps=2)
    one, two = (trained(name, still, seed=0).state_dict() for name in NETWORKS)
    assert all(torch.allclose(one[k], two[k], atol=1e-6) for k in one if k.endswith("weight"))


def test_the_measuring_command(made: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    effects.main(["--made", str(made)])
    rows = list(csv.DictReader((made / "effects.csv").open()))
    assert {row["network"] for row in rows} == set(NETWORKS)
    assert {row["id"] for row in rows} == {"case-01", "case-02", "case-03"}
    assert {row["way"] for row in rows} == {"agent", "removed", "filled"}
    assert f"logit of {A}" in capsys.readouterr().out
    assert all(table(made, name).row_count == len(CLASSES) for name in NETWORKS)
    with pytest.raises(SystemExit, match=r"make\.py makes them"):
        effects.main(["--made", str(tmp_path)])


def test_cases_of_another_phantom_are_refused(made: Path, tmp_path: Path) -> None:
    patient = cohort(TINY, 0)[0]
    (tmp_path / "cases").symlink_to(made / "cases")
    assert effects._read(tmp_path, 1, patient, TINY).label is not None
    with pytest.raises(effects.InputError, match="case-01: is not what the phantom makes"):
        effects._read(tmp_path, 1, replace(patient, seed=patient.seed + 1), TINY)
