"""The demo's networks: small, honest about what they were trained on, and good enough to be explained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from report.viewer.volumes import of_page

from voxplain.case import Case
from voxplain.demo.networks import TISSUE_CLASSES, patches, tissue_weights, train, zscore
from voxplain.demo.run import demo, dice
from voxplain.demo.subjects import mni152, tissue_model, vessel_subject, with_tissues
from voxplain.errors import InputError, ModelError
from voxplain.phantom import brain, vessels
from voxplain.report.viewer import assets


def labels_found(model, case: Case) -> np.ndarray:
    prepared = model.prepare(case)
    with torch.no_grad(), model.frozen():
        labels = model.forward(prepared.image[None].repeat(2, 1, 1, 1, 1))[0].argmax(0)
    return prepared.restore(labels[None].float(), mode="nearest")[0]


def test_dice_by_hand():
    truth = np.array([0, 1, 1, 1, 2, 2])
    found = np.array([1, 1, 1, 0, 2, 0])
    # class 1: 2·2 / (3 + 3); class 2: 2·1 / (1 + 2)
    assert dice(found, truth) == {1: pytest.approx(2 / 3), 2: pytest.approx(2 / 3)}


def test_patches_pair_every_voxel_with_its_own_label():
    # An image that is its label: after z-scoring, each class still has one value of its own.
    case = vessels((40, 40, 40), seed=0)
    case = replace(case, image=case.label[None].astype(np.float32))
    values = np.unique(zscore(case.image))
    draw = patches([case], size=24, batch=4)
    rng = np.random.default_rng(0)
    for _ in range(3):
        images, labels = draw(rng)
        assert images.shape == (4, 1, 24, 24, 24) and labels.shape == (4, 24, 24, 24)
        assert np.array_equal(images[:, 0].numpy(), values[labels.numpy()])
        assert all(labels[n].any() for n in (1, 3))  # every second one is around foreground


def test_training_is_reproducible_and_learns():
    # One 1×1×1 convolution can separate z-scored intensities.
    cases = [vessels((24, 24, 24), seed=s, noise=0, bias=0, texture=0) for s in (1, 2)]

    def run() -> tuple[list[float], torch.Tensor]:
        torch.manual_seed(0)
        network, losses = torch.nn.Conv3d(1, 1, 1), []
        draw = patches(cases, size=16)
        train(network, draw, steps=40, seed=3, rate=0.3, progress=lambda *a: losses.append(a[2]))
        return losses, network.weight.detach().clone()

    (losses, weight), (_, again) = run(), run()
    assert torch.equal(weight, again)
    assert len(losses) == 40 and np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


def test_shipped_weights_are_small():
    assert tissue_weights().stat().st_size < 1_000_000


def test_missing_weights_are_reported(tmp_path):
    with pytest.raises(ModelError, match="train_demo_brain"):
        tissue_model(tmp_path / "none.safetensors")


def test_tissue_network_segments_an_unseen_phantom():
    case = with_tissues(brain((64, 72, 60), seed=12345, spacing=2.4, scale=0.9, skull=False))
    found = dice(labels_found(tissue_model(), case), case.label)
    assert found[2] > 0.75 and found[3] > 0.8  # grey, white; on a grid of another spacing


def test_tissue_network_segments_the_real_template():
    pytest.importorskip("nilearn")
    case = mni152()
    found = labels_found(tissue_model(), case)
    scores = dice(found, case.label)
    assert scores[2] > 0.77 and scores[3] > 0.77, scores
    # The template is symmetric by construction; nothing in the network is, so this is its own doing.
    mirrored = dice(found, found[::-1])
    assert min(mirrored.values()) > 0.75
    assert len(TISSUE_CLASSES) == 4


def test_template_is_symmetric_so_that_its_halves_are_no_honest_split():
    pytest.importorskip("nilearn")
    image = mni152().image[0]
    assert np.abs(image - image[::-1]).max() < 1e-3


def test_demo_refuses_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(InputError, match="cannot be written"):
        demo(tmp_path / "file" / "out")


@pytest.mark.long
def test_vessel_network_reaches_its_dice_on_a_fresh_phantom():
    subject = vessel_subject(seed=3)
    prepared = subject.model.prepare(subject.case)
    with torch.no_grad():
        found = subject.model.forward(prepared.image[None].repeat(2, 1, 1, 1, 1))[0, 0] > 0
    restored = prepared.restore(found[None].float(), mode="nearest")[0]
    assert dice(restored, subject.case.label)[1] > 0.8


@pytest.mark.slow
def test_demo_ends_with_the_path_of_a_page(tmp_path, capsys):
    page = demo(tmp_path)
    assert capsys.readouterr().out.strip().splitlines()[-1] == str(page.resolve())
    text = page.read_text()
    assert "vessel phantom" in text and text.count("<img") >= 20
    if assets() is not None:
        contents, volumes = of_page(text)
        assert [c["name"] for c in contents["cases"]] == ["vessel phantom", "MNI152 template"]
        assert [[len(t["maps"]) for t in c["targets"]] for c in contents["cases"]] == [[3, 3], [2, 2]]
        assert "viewer-solid" in volumes and len(text) < 20_000_000
    assert len(list((tmp_path / "maps").glob("*.nii.gz"))) == 10
