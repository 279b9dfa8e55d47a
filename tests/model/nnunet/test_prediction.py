"""What the network is given and what it says: nnU-Net's own, from the same file."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
import torch
from nnunet_folder import REGIONS, subject, untrained
from nnunet_peer import Peer, rotation, stitched, written

from voxplain.case import read_case, take_slice
from voxplain.engine import Problem
from voxplain.errors import InputError, ModelError
from voxplain.model import load_model
from voxplain.model.nnunet.network import Ensemble

OPTIONS = {"folds": 0, "mirroring": False}
SMALL = (10, 20, 15)  # four windows
IMAGES = {
    "as trained": {},
    "lps": {"turn": np.diag([-1.0, -1.0, 1.0])},
    "flipped and permuted": {"turn": np.array([[0, -1.0, 0], [0, 0, 1], [-1, 0, 0]])},
    "rotated": {"turn": rotation()},
    "flipped and permuted, other spacing": {
        "turn": np.array([[0, -1.0, 0], [0, 0, 1], [-1, 0, 0]]),
        "spacing": (2.0, 1.0, 1.4),
        "shape": (14, 22, 18),
    },
    "rotated, other spacing": {"spacing": (2.0, 1.0, 1.4), "shape": (14, 22, 18), "turn": rotation(35)},
    "much cropped": {"shape": (15, 24, 26), "border": 5},
    "smaller than the patch": {"shape": (7, 14, 12), "border": 2},
}
READERS = ["SimpleITKIO", "NibabelIO", "SimpleITKIOWithReorient", "NibabelIOWithReorient"]


@pytest.fixture
def other(trained, tmp_path):
    def make(**changes):
        return untrained(trained, tmp_path / "other", **changes)

    return make


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", IMAGES)
def test_the_prepared_image_and_the_logits_are_nnunets(trained, tmp_path, kind) -> None:
    file = written(subject(5, **IMAGES[kind]), tmp_path)
    peer = Peer(trained, [0], mirroring=False)
    problem = Problem(load_model(trained, factory_arguments=OPTIONS), read_case(file), ["liver"])
    prepared = peer.prepared(file)
    np.testing.assert_allclose(problem.image.numpy(), prepared, rtol=0, atol=1e-5)
    found = stitched(problem)
    torch.testing.assert_close(found, peer.whole_logits(prepared).float(), rtol=0, atol=2e-5)
    assert torch.equal(problem.prediction.labels, found.argmax(0).to(torch.int16))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("folds", "mirroring"), [([1], True), ([0, 1], True), ([0, 1], False)])
def test_folds_and_mirroring_are_nnunets(trained, tmp_path, folds, mirroring) -> None:
    file = written(subject(6, SMALL), tmp_path)
    options = {"folds": folds} if mirroring else {"folds": folds, "mirroring": False}
    problem = Problem(load_model(trained, factory_arguments=options), read_case(file), ["liver"])
    peer = Peer(trained, folds, mirroring=mirroring)
    prepared = peer.prepared(file)
    expected = peer.whole_logits(prepared).float()
    torch.testing.assert_close(stitched(problem), expected, rtol=0, atol=2e-5)
    # its own logits are sums in half precision, whose smallest weights are off by any factor
    half = peer.logits(prepared)
    assert float((half - expected).abs().flatten().quantile(0.9)) < 0.01
    assert float((half.argmax(0) != problem.prediction.labels).float().mean()) < 0.02
    # nothing was resampled: its labels of the prepared voxels are, on the file's own, its segmentation
    home = problem.prepared.restore(half.argmax(0)[None].float(), "nearest")[0]
    assert np.array_equal(home, peer.segmentation(file)) and len(np.unique(home)) == 3


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["lps", "flipped and permuted, other spacing", "rotated, other spacing"])
def test_every_readers_axes_are_kept_and_known(other, tmp_path, reader, kind) -> None:
    """The image is a ramp in space, which every step but the normalisation keeps: each voxel says where it is."""
    case = subject(1, **IMAGES[kind], border=0)
    axes = np.meshgrid(*[np.arange(n) for n in case.spatial_shape], indexing="ij")
    here = case.geometry.affine @ np.stack([*axes, np.ones_like(axes[0])]).reshape(4, -1)
    case.image[0] = (np.array([1.0, 2.0, 3.5]) @ here[:3] + 900).reshape(case.spatial_shape)
    file = written(case, tmp_path)
    folder = other(plans_change={"image_reader_writer": reader})
    case = read_case(file)
    found = load_model(folder, factory_arguments={"mirroring": False}).prepare(case)
    np.testing.assert_allclose(found.image.numpy(), Peer(folder).prepared(file), rtol=0, atol=1e-5)
    inner = tuple(slice(3, -3) for _ in range(3))  # splines bend a ramp at the image's border
    axes = np.meshgrid(*[np.arange(n)[3:-3] for n in found.shape], indexing="ij")
    there = found.geometry.affine @ np.stack([*axes, np.ones_like(axes[0])]).reshape(4, -1)
    said = found.image.numpy()[0][inner].ravel() * case.image.std() + case.image.mean()
    # half a voxel would be 0.5 at least
    np.testing.assert_allclose(said, np.array([1.0, 2.0, 3.5]) @ there[:3] + 900, rtol=0, atol=0.2)
    # and on its way home
    home = found.restore(found.image)[0] * case.image.std() + case.image.mean()
    np.testing.assert_allclose(home[3:-3, 3:-3, 3:-3], case.image[0][3:-3, 3:-3, 3:-3], atol=0.3)


def test_totalsegmentators_networks_are_run_as_it_runs_them(other, tmp_path) -> None:
    """It turns images to RAS before it calls nnU-Net, and calls it without mirroring."""
    folder = other(plans_change={"dataset_name": "Dataset291_TotalSegmentator_part1_organs_1559subj"})
    model = load_model(folder)
    assert not isinstance(model.module, Ensemble)
    assert len(load_model(folder, factory_arguments={"mirroring": True}).module) == 8
    kind = IMAGES["flipped and permuted, other spacing"]
    case = read_case(written(subject(5, **kind), tmp_path))
    canonical = nibabel.as_closest_canonical(nibabel.load(written(subject(5, **kind), tmp_path)))
    nibabel.save(canonical, tmp_path / "ras_0000.nii.gz")
    prepared = Peer(folder, mirroring=False).prepared(tmp_path / "ras_0000.nii.gz")
    found = model.prepare(case)
    np.testing.assert_allclose(found.image.numpy(), prepared, rtol=0, atol=1e-5)
    assert prepared.shape != Peer(folder, mirroring=False).prepared(tmp_path / f"{case.id}.nii.gz").shape
    # a map comes home to the file's own voxels
    home = found.restore(found.image)[0]
    organs = subject(5, **kind).label
    assert np.corrcoef(home[organs > 0], case.image[0][organs > 0])[0, 1] > 0.9
    assert home[organs == 1].mean() > home[organs == 2].mean() + 1


def test_regions_are_independent_labels(other, tmp_path) -> None:
    folder = other(labels=REGIONS | {"ignore": 3})
    model = load_model(folder, factory_arguments={"mirroring": False})
    assert (model.output, model.classes) == ("sigmoid", ("organ", "lung"))
    file = written(subject(2), tmp_path)
    peer = Peer(folder, mirroring=False)
    problem = Problem(model, read_case(file), ["organ"])
    expected = peer.whole_logits(peer.prepared(file))
    torch.testing.assert_close(stitched(problem), expected.float(), rtol=0, atol=2e-5)
    sure = expected.abs() > 1e-4
    assert torch.equal(problem.prediction.positive[sure], (expected > 0)[sure])


def test_regions_are_where_the_label_has_one_of_their_values(other, tmp_path) -> None:
    model = load_model(other(labels=REGIONS), factory_arguments={"mirroring": False})
    assert model.label_values == ((1, 2), (2,))
    case = subject(2)
    problem = Problem(model, case, ["label:organ", "label:lung"])
    for target, true in zip(problem.targets, (case.label > 0, case.label == 2), strict=True):
        assert target.region.count == np.count_nonzero(true)


def test_the_ignore_label_is_no_class(other) -> None:
    model = load_model(other(labels={"background": 0, "liver": 1, "lung": 2, "ignore": 3}))
    assert (model.output, model.classes) == ("softmax", ("background", "liver", "lung"))


def test_a_2d_network_takes_slices_along_its_own_axis(other, tmp_path) -> None:
    folder = other(configuration="2d", mirroring=(0, 1))
    model = load_model(folder)
    assert model.spatial_dims == 2
    volume = subject(3)
    one = take_slice(volume, 0, 5)
    file = written(one, tmp_path)
    peer = Peer(folder)
    problem = Problem(model, read_case(file), ["liver"])
    expected = peer.whole_logits(peer.prepared(file))
    np.testing.assert_allclose(problem.image.numpy(), peer.prepared(file)[:, 0], rtol=0, atol=1e-5)
    torch.testing.assert_close(stitched(problem), expected[:, 0].float(), rtol=0, atol=2e-5)
    marked = torch.zeros(1, *problem.image.shape[1:])
    marked[0, 4, 7] = 1
    # the plans turn (k, j, i) to (i, k, j), and two voxels at each border are cropped
    assert np.argwhere(problem.prepared.restore(marked)[0]).tolist() == [[0, 7 + 2, 4 + 2]]
    with pytest.raises(InputError, match="trained on slices along i"):
        model.prepare(take_slice(volume, 2, 5))
    with pytest.raises(ModelError, match="2-D images"):
        model.prepare(volume)


def test_images_that_cannot_be_prepared_are_refused(trained) -> None:
    model = load_model(trained, factory_arguments=OPTIONS)
    case = subject(0)
    two = type(case)("two", np.concatenate([case.image] * 2), case.geometry)
    with pytest.raises(InputError, match="found 2 channels, but this nnU-Net takes 1: MRI"):
        model.prepare(two)
    with pytest.raises(InputError, match="all voxels are zero"):
        model.prepare(type(case)("empty", case.image * 0, case.geometry))
