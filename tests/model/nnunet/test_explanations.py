"""Explanations of an nnU-Net: exact through windows, mirroring and folds, at home on the file's own voxels."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from nnunet_folder import subject
from nnunet_peer import Peer, written

import voxplain as vx
from voxplain.engine.samplers import clean
from voxplain.errors import ModelError
from voxplain.study.ledger.fingerprint import of_model

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
SMALL = (10, 20, 15)  # four windows


def test_the_gradient_is_that_of_everything_written_out(trained, tmp_path) -> None:
    """In double: windows × Gaussian × mirrorings × folds by nnU-Net's own functions, under autograd."""
    case = subject(6, SMALL)
    model = vx.load_model(trained)
    model.module.double()
    problem = vx.Problem(model, case, [vx.PredictedRegion("liver", reduce="sum")], dtype=torch.float64)
    found = vx.Gradient().attribute(problem).map("liver")[0]
    region = problem.prediction.labels == 1

    peer = Peer(trained)
    prepared = peer.prepared(written(case, tmp_path)).astype(np.float64)
    image = torch.from_numpy(prepared).requires_grad_()
    network = peer.own.network.double().eval()
    from nnunetv2.inference.sliding_window_prediction import compute_gaussian

    patch = tuple(peer.own.configuration_manager.patch_size)
    weights = compute_gaussian.__wrapped__(patch, 1 / 8, 10, torch.float64, torch.device("cpu"))
    flips = [(), (2,), (3,), (4,), (2, 3), (2, 4), (3, 4), (2, 3, 4)]
    slicers = peer.own._internal_get_sliding_window_slicers(image.shape[1:])
    weight = torch.zeros(image.shape[1:], dtype=torch.float64)
    for where in slicers:
        weight[where[1:]] += weights
    for parameters in peer.own.list_of_parameters:
        network.load_state_dict(parameters)
        # the network is used again with other weights, so each fold's gradient is taken at once
        for where in slicers:
            share = (weights / weight[where[1:]] * region[where[1:]]) / (len(flips) * 2)
            for dims in flips:
                out = torch.flip(network(torch.flip(image[where][None], dims)), dims)
                score = (out[0, 1] * share).sum()
                score.backward()
    expected = problem.prepared.restore(image.grad)[0]
    assert np.abs(expected).max() > 1e-4
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    # before it is written as float32, it is exact
    exact = problem.gradient(lambda p: clean(p.padded)).maps[0]
    torch.testing.assert_close(exact, image.grad, rtol=0, atol=1e-10)


def test_a_command_explains_and_inspects(trained, tmp_path, voxplain, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    case = subject(4, SMALL)
    file = written(case, tmp_path)
    words = (
        "--model",
        str(trained),
        "--set",
        "model.arguments={folds: [0], mirroring: false}",
        "--set",
        "model.device=cpu",
    )
    ran = voxplain(
        "explain", "--image", str(file), *words, "--method", "gradient", "--target", "liver", "--out", "out"
    )
    assert ran.code == 0, ran.err
    (written_map,) = Path("out/maps").rglob("*.nii.gz")
    found = nibabel.load(written_map)
    np.testing.assert_allclose(found.affine, case.geometry.affine, atol=1e-5)
    problem = vx.Problem(
        vx.load_model(trained, factory_arguments={"folds": [0], "mirroring": False}),
        vx.read_case(file),
        ["liver"],
    )
    expected = vx.Gradient().attribute(problem).map("liver")[0]
    np.testing.assert_allclose(np.squeeze(found.get_fdata()), expected, atol=1e-5 * np.abs(expected).max())

    ran = voxplain("inspect", str(trained))
    assert ran.code == 0, ran.err
    for said in (
        "2 folds × 8 mirrorings, 16 passes per window",
        "SimpleITKIO",
        "1 liver",
        "even",
        "PlainConvUNet",
    ):
        assert said in ran.out

    ran = voxplain(
        "explain",
        "--image",
        str(file),
        "--model",
        str(trained),
        "--set",
        "model.arguments.fold=0",
        "--out",
        "no",
    )
    assert ran.code == 2 and "did you mean 'folds'" in ran.err


def test_a_cohort_is_aggregated_from_the_folder(trained, tmp_path, voxplain, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (4, 5):
        written(subject(number, SMALL), tmp_path)
    words = (
        f"--model {trained} --device cpu --target liver --method gradient --game infill --out cohort".split()
    )
    ran = voxplain("aggregate", "--cases", "{id}_0000.nii.gz", *words)
    assert ran.code == 0, ran.err
    assert Path("cohort/cohort.html").is_file()
    cohort = vx.Cohort.read(Path("cohort/tables/regions.parquet"))
    rows = cohort.query(
        "select region, method, value from tables where \"case\" = 's4' and target = 'liver' and status = 'ok' "
        "and statistic in ('net', 'shapley')"
    )
    found = {(r["region"], r["method"]): r["value"] for r in rows}
    problem = vx.Problem(vx.load_model(trained), vx.read_case(Path("s4_0000.nii.gz")), ["liver"])
    table = vx.region_table(problem, [vx.predicted_regions(problem)], "gradient")
    expected = {r["region"]: r["value"] for r in table.rows() if r["statistic"] == "net"}
    assert set(expected) == {"background", "liver", "lung"}
    for region, value in expected.items():
        assert found[region, "gradient"] == pytest.approx(value, rel=1e-5)
        assert np.isfinite(found[region, "game(infill)"])


def test_region_tables_are_sums_of_the_map(trained) -> None:
    model = vx.load_model(trained, factory_arguments={"folds": [0]})
    problem = vx.Problem(model, subject(4, SMALL), ["liver", "lung"])
    table = vx.region_table(problem, [vx.predicted_regions(problem)], "gradient")
    maps = vx.Gradient().attribute(problem)
    region = problem.prepared.restore(problem.prediction.labels[None].float(), "nearest")[0]
    inside = problem.prepared.restore(torch.ones(1, *problem.prepared.shape))[0] > 0
    rows = {(r["target"], r["region"]): r["value"] for r in table.rows() if r["statistic"] == "net"}
    for target in ("liver", "lung"):
        for number, name in enumerate(model.classes):
            expected = float(maps.map(target)[0][(region == number) & inside].astype(float).sum())
            assert rows[target, name] == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_methods_that_look_at_layers_want_no_mirroring(trained) -> None:
    case = subject(4, SMALL)
    mirrored = vx.Problem(vx.load_model(trained, factory_arguments={"folds": [0]}), case, ["liver"])
    for method in (vx.GradCam(), vx.GradCam(layer="fold_0.encoder.stages.1")):
        with pytest.raises(ModelError, match=r"model\.arguments\.mirroring=false"):
            method.attribute(mirrored)
    plain = vx.load_model(trained, factory_arguments={"folds": [0], "mirroring": False})
    cam = vx.GradCam(layer="encoder.stages.1").attribute(vx.Problem(plain, case, ["liver"]))
    assert cam.map("liver").shape[1:] == SMALL
    # rules for operations see all members: ε-LRP without stabiliser is input × gradient on a network of leaky ReLUs
    lrp = vx.method("lrp").attribute(mirrored)
    assert np.isfinite(lrp.map("liver")).all()


def test_other_plans_folds_or_mirroring_are_another_model(trained, tmp_path) -> None:
    import shutil

    options = {"folds": [0]}
    hashes = [
        of_model(vx.load_model(trained, factory_arguments=given), str(trained))
        for given in (options, options, {"folds": [1]}, {"folds": [0], "mirroring": False})
    ]
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    (copy / "plans.json").write_text((copy / "plans.json").read_text().replace("SimpleITKIO", "NibabelIO"))
    hashes.append(of_model(vx.load_model(copy, factory_arguments=options), str(copy)))
    assert hashes[0] == hashes[1] and len(set(hashes)) == 4
