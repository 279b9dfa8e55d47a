"""`voxplain explain` from files to files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from report.viewer.volumes import of_page, unpacked

from voxplain.report.viewer import assets

BASE = ("explain", "--model", "nets.py:linear", "--image", "scan.nii.gz", "--out", "out", "--target", "1")
FAST = ("--set", "maps.figures=0")


def table(path: str = "out/table.csv") -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_map_of_a_known_network_lies_on_the_scan(folder: Path, voxplain: Callable[..., Any]) -> None:
    """The logit of class 1 is 2x per voxel, its target the mean over the P voxels with x > 0 (where 2x > -x).

    So the gradient is 2/P there and 0 elsewhere, the score 2·mean(x over them), and the prediction x > 0.
    """
    ran = voxplain(*BASE, *FAST)
    assert ran.code == 0, ran.err
    scan = nib.load("scan.nii.gz")
    image = scan.get_fdata()
    inside = image > 0
    found = nib.load("out/maps/scan/gradient/class-1.nii.gz")
    np.testing.assert_allclose(found.get_fdata(), np.where(inside, 2 / inside.sum(), 0), rtol=1e-6)
    np.testing.assert_array_equal(found.affine, scan.affine)
    np.testing.assert_array_equal(nib.load("out/prediction.nii.gz").get_fdata(), inside)
    (row,) = table()
    assert row["status"] == "ok"
    assert float(row["score"]) == pytest.approx(2 * image[inside].mean(), rel=1e-5)
    assert int(row["region_voxels"]) == inside.sum()
    assert (int(row["forward_passes"]), int(row["backward_passes"])) == (1, 1)


def test_axes_and_spacing_of_the_network_leave_no_trace_in_the_map(
    folder: Path, voxplain: Callable[..., Any]
) -> None:
    """Reordering axes is exact, so the map of a voxelwise network is the same with and without it."""
    voxplain(*BASE, *FAST)
    voxplain(*BASE[:-4], "--target", "1", "--out", "turned", "--orientation", "SPR", *FAST)
    plain, turned = (nib.load(f"{o}/maps/scan/gradient/class-1.nii.gz") for o in ("out", "turned"))
    np.testing.assert_allclose(turned.get_fdata(), plain.get_fdata(), rtol=1e-6)
    np.testing.assert_array_equal(turned.affine, plain.affine)


def test_what_is_promised_is_there(folder: Path, voxplain: Callable[..., Any]) -> None:
    ran = voxplain(*BASE, "--method", "gradient", "--method", "integrated-gradients:nodes=2")
    assert ran.code == 0, ran.err
    for name in ("table.csv", "report.html", "explain.yaml", "log.jsonl", "prediction.nii.gz"):
        assert (Path("out") / name).stat().st_size, name
    events = [
        json.loads(line)["event"] for line in Path("out/log.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert events == ["start", "method", "done", "method", "done", "end"]
    assert {r["method"] for r in table()} == {"gradient", "integrated_gradients"}
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 2 * 4  # two methods: planes, montage, projection, tile
    assert "Side by side" in page
    assert not Path("out/scratch").exists()


def shown(*path: str | int, page: str = "out/report.html") -> np.ndarray | None:
    """A volume of the page's viewer; None where the viewer was not built."""
    if assets() is None:
        return None
    contents, volumes = of_page(Path(page).read_text(encoding="utf-8"))
    found = contents["cases"][0]
    shape = found["shape"]
    for step in path:
        found = found[step]
    return unpacked(volumes, found, shape)


def test_the_page_walks_through_what_was_written(folder: Path, voxplain: Callable[..., Any]) -> None:
    """Image, prediction and map of an LAS scan, read back from the page on the axes R, A, S."""
    if assets() is None:
        pytest.skip("the viewer was not built")
    assert voxplain(*BASE, "--method", "gradient", "--method", "input-x-gradient").code == 0
    for path, file in (
        (("image",), "scan.nii.gz"),
        (("labels", 0), "out/prediction.nii.gz"),
        (("targets", 0, "maps", 0), "out/maps/scan/gradient/class-1.nii.gz"),
        (("targets", 0, "maps", 1), "out/maps/scan/input_x_gradient/class-1.nii.gz"),
    ):
        truth = nib.as_closest_canonical(nib.load(file)).get_fdata()
        np.testing.assert_allclose(shown(*path), truth, atol=2e-4 * np.abs(truth).max())
    before = Path("out/maps/scan/gradient/class-1.nii.gz").stat().st_mtime_ns
    ran = voxplain("explain", "--config", "out/explain.yaml", "--set", "maps.viewer=0")
    assert "done by an earlier run" in ran.out  # what is in the page is no reason to run methods again
    assert Path("out/maps/scan/gradient/class-1.nii.gz").stat().st_mtime_ns == before
    text = Path("out/report.html").read_text(encoding="utf-8")
    assert "viewer-contents" not in text and "script-src" not in text


def test_the_cost_is_told_before_the_work(folder: Path, voxplain: Callable[..., Any]) -> None:
    """12 × 10 × 8 voxels in windows of 6 × 10 × 8 without overlap are two, each passed at three nodes and two ends."""
    words = ("--roi", "6,10,8", "--overlap", "0", "--method", "integrated-gradients:nodes=3", "--dry-run")
    ran = voxplain(*BASE, *words)
    assert ran.code == 0, ran.err
    assert "over 2 windows" in ran.out
    assert "integrated_gradients: about 10 forward and 6 backward passes" in ran.out
    assert not Path("out").exists()


def test_the_written_settings_run_the_same_again(
    folder: Path, voxplain: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    voxplain(*BASE, *FAST, "--scale", "zscore", "--method", "smoothgrad:draws=2", "--seed", "5")
    before = nib.load("out/maps/scan/smoothgrad/class-1.nii.gz").get_fdata()
    monkeypatch.chdir("/")
    ran = voxplain(
        "explain", "--config", str(folder / "out" / "explain.yaml"), "--out", str(folder / "again")
    )
    assert ran.code == 0, ran.err
    after = nib.load(folder / "again" / "maps" / "scan" / "smoothgrad" / "class-1.nii.gz").get_fdata()
    np.testing.assert_array_equal(after, before)


def test_completeness_is_said_to_hold_on_the_networks_grid(
    folder: Path, voxplain: Callable[..., Any]
) -> None:
    """On an image of ones the network's map is 2 at each of its N voxels of 1 mm: their sum 2·N is the score.

    A voxel of 2 mm holds eight of them and so gets 16; all 960 sum to 15360, which is not 2·N at the image's edges
    (N is not 8 · 960): the page must not promise that the saved map is as complete as the network's.
    """
    nib.save(nib.Nifti1Image(np.ones((12, 10, 8), np.float32), nib.load("scan.nii.gz").affine), "scan.nii.gz")
    words = ("--spacing", "1", "--method", "integrated-gradients:nodes=2,baseline=0", "--set", "reduce=sum")
    ran = voxplain(*BASE, *words)
    assert ran.code == 0, ran.err
    (row,) = table()
    assert float(row["completeness_gap"]) < 1e-4
    assert float(row["score"]) == pytest.approx(2 * int(row["region_voxels"]), rel=1e-5)
    saved = nib.load("out/maps/scan/integrated_gradients/class-1.nii.gz").get_fdata()
    np.testing.assert_allclose(saved, 16, rtol=1e-5)
    assert abs(saved.sum() / float(row["score"]) - 1) > 0.1
    assert "on the grid the network saw" in Path("out/report.html").read_text(encoding="utf-8")


def test_files_in_the_written_settings_are_found_from_anywhere(
    folder: Path, voxplain: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = nib.load("scan.nii.gz")
    parts = np.where(np.arange(12)[:, None, None] < 6, 1, 2) * np.ones(scan.shape)
    nib.save(nib.Nifti1Image(parts.astype(np.uint8), scan.affine), "parts.nii.gz")
    words = ("--target", "mask:1:parts.nii.gz", "--method", "occlusion:regions=parts.nii.gz")
    voxplain(*BASE[:-2], *FAST, *words, "--method", "integrated-gradients:nodes=2,baseline=case:scan.nii.gz")
    monkeypatch.chdir("/")
    again = ("explain", "--config", str(folder / "out" / "explain.yaml"), "--out", str(folder / "again"))
    ran = voxplain(*again)
    assert ran.code == 0, ran.err
    for found in (folder / "out" / "maps").rglob("*.nii.gz"):
        copy = folder / "again" / found.relative_to(folder / "out")
        np.testing.assert_array_equal(nib.load(copy).get_fdata(), nib.load(found).get_fdata())


def test_a_method_that_fails_is_named_and_the_others_run(folder: Path, voxplain: Callable[..., Any]) -> None:
    np.save("small.npy", np.zeros((4, 4, 4), np.float32))
    words = ("--method", "integrated_gradients:baseline=case:small.npy", "--method", "gradient")
    ran = voxplain(*BASE, *FAST, *words)
    assert ran.code == 1
    assert "integrated_gradients failed" in ran.err
    assert "'small'" in ran.err
    failed, done = table()
    assert (failed["method"], failed["status"]) == ("integrated_gradients", "failed")
    assert "small" in failed["note"]
    assert (done["method"], done["status"]) == ("gradient", "ok")


def test_a_layer_that_is_not_there_is_known_before_the_work(
    folder: Path, voxplain: Callable[..., Any]
) -> None:
    ran = voxplain(*BASE, *FAST, "--method", "gradient", "--method", "grad_cam:layer=encoder")
    assert ran.code == 2
    assert "'encoder'" in ran.err
    assert not Path("out").exists()


def test_an_absent_class_is_a_status_and_no_failure(folder: Path, voxplain: Callable[..., Any]) -> None:
    """With class 1's weight at -2 the logits are (-x, -2x); after scaling to [0, 1] no voxel has -2x > -x."""
    ran = voxplain(
        *BASE, *FAST, "--set", "model.arguments={scale: -2.0}", "--scale", "minmax", "--target", "0"
    )
    assert ran.code == 0, ran.err
    rows = {row["class_index"]: row for row in table()}
    assert rows["1"]["status"] == "absent"
    assert "nothing to explain" in rows["1"]["note"]
    assert rows["0"]["status"] == "ok"
    assert not Path("out/maps/scan/gradient/class-1.nii.gz").exists()
    assert "absent: class-1" in ran.out


def test_pictures_get_pictures(folder: Path, voxplain: Callable[..., Any]) -> None:
    import tifffile
    from PIL import Image

    pixels = np.random.default_rng(1).integers(0, 255, (20, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("eye.png")
    ran = voxplain(
        "explain", "--model", "nets.py:picture", "--image", "eye.png", "--scale", "0,255", "--out", "out"
    )
    assert ran.code == 0, ran.err
    (path,) = Path("out/maps/eye/gradient").iterdir()
    assert tifffile.imread(path).shape == (3, 20, 16)
    one, grey = shown("image"), shown("targets", 0, "maps", 0)
    if (
        one is not None and grey is not None
    ):  # down, across; the mean of colours, and the sum of the map's channels
        np.testing.assert_allclose(one.squeeze(), pixels.mean(-1), atol=0.01)
        np.testing.assert_allclose(grey.squeeze(), tifffile.imread(path).sum(0), rtol=1e-3, atol=1e-6)
        assert 'id="viewer-solid"' not in Path("out/report.html").read_text(encoding="utf-8")
    with Path("out/prediction.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sum(float(row["probability"]) for row in rows) == pytest.approx(1, abs=1e-5)
    best = max(rows, key=lambda row: float(row["probability"]))
    assert [row["class"] for row in rows if row["predicted"] == "True"] == [best["class"]]
    assert table()[0]["class"] == best["class"]


def test_targets_may_be_mappings(folder: Path, voxplain: Callable[..., Any]) -> None:
    """The gradient of the logit 2x of class 1 at one voxel is 2 there and zero elsewhere."""
    target = "targets=[{kind: voxel, index: [3, 4, 5], class: 1}]"
    ran = voxplain(*BASE[:-2], *FAST, "--set", target)
    assert ran.code == 0, ran.err
    (path,) = Path("out/maps/scan/gradient").iterdir()
    expected = np.zeros((12, 10, 8))
    expected[3, 4, 5] = 2
    np.testing.assert_allclose(nib.load(path).get_fdata(), expected)


def test_only_as_many_targets_are_drawn_as_asked(folder: Path, voxplain: Callable[..., Any]) -> None:
    ran = voxplain(*BASE, "--target", "0", "--set", "maps.figures=1")
    assert ran.code == 0, ran.err
    assert len(list(Path("out/maps/scan/gradient").iterdir())) == 2
    drawn = {p.name.rsplit("-", 1)[0] for p in Path("out/figures/scan/gradient").iterdir()}
    assert len(drawn) == 1
    assert "1 largest" in Path("out/report.html").read_text(encoding="utf-8")


def test_a_window_setting_leaves_the_rest_of_a_bundles_windows(
    folder: Path, voxplain: Callable[..., Any]
) -> None:
    """16 voxels in windows of 8 without overlap are two per axis; the bundle's own half overlap would make three."""
    network = {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 2, "kernel_size": 1}
    config = {
        "network_def": network,
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [8, 8, 8], "overlap": 0.5},
    }
    for name in ("configs", "models"):
        (Path("bundle") / name).mkdir(parents=True)
    Path("bundle/configs/inference.json").write_text(json.dumps(config), encoding="utf-8")
    Path("bundle/configs/metadata.json").write_text("{}", encoding="utf-8")
    torch.save(torch.nn.Conv3d(1, 2, 1).state_dict(), "bundle/models/model.pt")
    np.savez("cube.npz", image=np.random.default_rng(0).normal(size=(16, 16, 16)))
    words = ("explain", "--model", "bundle", "--image", "cube.npz", "--out", "out", "--dry-run")
    own, changed = voxplain(*words), voxplain(*words, "--overlap", "0")
    assert own.code == changed.code == 0, own.err + changed.err
    assert f"over {3**3} windows" in own.out
    assert f"over {2**3} windows" in changed.out


def test_a_2d_network_explains_one_slice_of_a_volume(folder: Path, voxplain: Callable[..., Any]) -> None:
    Path("flat.py").write_text(
        "import torch\nfrom torch import nn\n\n\ndef net():\n"
        "    net = nn.Conv2d(1, 2, 1, bias=False)\n"
        "    net.weight.data = torch.tensor([-1.0, 2.0]).reshape(2, 1, 1, 1)\n    return net\n",
        encoding="utf-8",
    )
    words = (
        "explain",
        "--model",
        "flat.py:net",
        "--image",
        "scan.nii.gz",
        "--slice",
        "k=2",
        "--out",
        "out",
        "--target",
        "1",
    )
    ran = voxplain(*words)
    assert ran.code == 0, ran.err
    (path,) = Path("out/maps").rglob("*.nii.gz")
    scan, found = nib.load("scan.nii.gz"), nib.load(path)
    assert found.shape[2] == 1
    # voxel (0, 0, 0) of the map lies where voxel (0, 0, 2) of the scan does
    np.testing.assert_allclose(found.affine @ [0, 0, 0, 1], scan.affine @ [0, 0, 2, 1], atol=1e-4)
    # logit 1 is twice the image and averaged over its region: the gradient is 2 / region size inside, 0 outside
    inside = scan.get_fdata()[..., 2:3] > 0
    np.testing.assert_allclose(found.get_fdata(), inside * 2 / inside.sum(), atol=1e-6)
    if (seen := shown("targets", 0, "maps", 0)) is not None:
        truth = nib.as_closest_canonical(found).get_fdata()
        np.testing.assert_allclose(seen.reshape(truth.shape), truth, atol=1e-6)


def test_nothing_but_absent_targets_is_told_and_exits_with_1(
    folder: Path, voxplain: Callable[..., Any]
) -> None:
    Path("dark.py").write_text(
        "import torch\nfrom torch import nn\n\n\ndef net():\n"
        "    net = nn.Conv3d(1, 2, 1)\n    net.weight.data.zero_()\n"
        "    net.bias.data = torch.tensor([1.0, 0.0])\n    return net\n",
        encoding="utf-8",
    )
    ran = voxplain(
        "explain", "--model", "dark.py:net", "--image", "scan.nii.gz", "--target", "1", "--out", "out"
    )
    assert ran.code == 1
    assert "no voxel of" in ran.err


def test_all_methods_of_a_family_at_once_and_one_of_them_with_its_own_parameters(
    folder: Path, voxplain: Callable[..., Any]
) -> None:
    from voxplain.attribution import methods

    ran = voxplain(*BASE, "--method", "all:family=gradient", "--method", "integrated-gradients:nodes=2")
    assert ran.code == 0, ran.err
    rows = {r["method"]: r for r in table()}
    assert set(rows) == {n for n, m in methods().items() if m.family == "gradient"}
    assert rows["integrated_gradients"]["backward_passes"] == "2"
    assert all(r["status"] in ("ok", "zero") for r in rows.values())


def test_a_method_that_all_stands_for_may_be_refused_without_failing(
    folder: Path, voxplain: Callable[..., Any]
) -> None:
    ran = voxplain(*BASE, "--method", "gradient", "--method", "all:family=cam")
    assert ran.code == 0, ran.err
    rows = {r["method"]: r for r in table()}
    assert rows["gradient"]["status"] == "ok"
    assert rows["grad_cam"]["status"] == "refused" and "no layer" in rows["grad_cam"]["note"]
    asked = voxplain(*BASE, "--method", "grad-cam", "--out", "other")
    assert asked.code == 1 and "no layer" in asked.err


def test_a_map_that_cannot_be_written_is_a_failure_also_among_all(
    folder: Path, voxplain: Callable[..., Any]
) -> None:
    Path("out/maps/scan/gradient/class-1.nii.gz/mine").mkdir(parents=True)
    ran = voxplain(*BASE, "--method", "all:family=gradient")
    assert ran.code == 1
    assert "gradient failed" in ran.err and "1.nii.gz" in ran.err
    rows = {r["method"]: r["status"] for r in table()}
    assert rows["gradient"] == "failed" and rows["smoothgrad"] == "ok"


def test_a_size_may_differ_between_axes(folder: Path, voxplain: Callable[..., Any]) -> None:
    """Of 12 × 10 × 8 voxels, in parts of 6 × 5 × 8: two times two."""
    ran = voxplain(*BASE, *FAST, "--method", "occlusion:size=6x5x8")
    assert ran.code == 0, ran.err
    assert "4 parts" in table()[0]["note"]


def test_a_single_part_is_said_to_be_no_map(folder: Path, voxplain: Callable[..., Any]) -> None:
    ran = voxplain(*BASE, *FAST, "--method", "occlusion:size=100")
    assert ran.code == 0, ran.err
    assert "constant and shows no place" in table()[0]["note"]


def test_what_the_reader_left_out_is_told_before_and_on_the_page(
    folder: Path, voxplain: Callable[..., Any]
) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (9, 8, 4), dtype=np.uint8), "RGBA").save("photo.png")
    Path("colour.py").write_text(
        "import torch\nfrom torch import nn\ndef net():\n    return nn.Conv2d(3, 2, 1)\n", encoding="utf-8"
    )
    ran = voxplain("explain", "--model", "colour.py:net", "--image", "photo.png", "--out", "out")
    assert "note: photo: the alpha channel was left out" in ran.out
    assert "the alpha channel was left out" in Path("out/report.html").read_text(encoding="utf-8")


def test_all_takes_nothing_but_a_family(folder: Path, voxplain: Callable[..., Any]) -> None:
    ran = voxplain(*BASE, "--method", "all:family=cams")
    assert ran.code == 2 and "cam" in ran.err
    ran = voxplain(*BASE, "--method", "all:nodes=3")
    assert ran.code == 2 and "unknown parameter 'nodes'" in ran.err


def test_a_synthetic_image_is_compared_with_the_scan_as_the_network_sees_it(
    folder: Path, voxplain: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scan's file is on another scale than the network's input; a difference of the two would say nothing."""
    from voxplain.study.explaining import unit

    drawn = []
    whole = unit.shown_of
    monkeypatch.setattr(unit, "shown_of", lambda *args: drawn.append(whole(*args)) or drawn[-1])
    ran = voxplain(*BASE, "--scale", "minmax", "--method", "activation-maximization:steps=2")
    assert ran.code == 0, ran.err
    scan = nib.load("scan.nii.gz").get_fdata()
    seen = (scan - scan.min()) / (scan.max() - scan.min())
    ((background, difference),) = drawn
    np.testing.assert_allclose(background - difference, seen[None], atol=1e-5)
