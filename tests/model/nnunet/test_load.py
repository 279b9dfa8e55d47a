"""Which folders are taken, what may be chosen, and what is refused without running anything."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from nnunet_folder import subject, untrained

from voxplain.errors import InputError, ModelError
from voxplain.model import load_model
from voxplain.model.nnunet import checkpoint, folder
from voxplain.model.nnunet.options import Options

CHECKPOINT = "checkpoint_final.pth"


@pytest.fixture
def copy(trained, tmp_path) -> Path:
    """The trained folder, to be spoilt; its checkpoints are links."""
    return Path(shutil.copytree(trained, tmp_path / "Dataset" / trained.name, copy_function=os.link))


def spoilt(file: Path, **changes) -> None:
    content = torch.load(file, weights_only=False) | changes
    file.unlink()
    torch.save(content, file)


def edit(file: Path, change) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.unlink()
    file.write_text(json.dumps(content))


def test_all_folds_and_mirrorings_are_taken(trained) -> None:
    model = load_model(trained)
    assert model.module.names == ("fold_0", "fold_1") and len(model.module) == 2 * 8
    assert (model.task, model.output, model.classes) == (
        "segmentation",
        "softmax",
        ("background", "liver", "lung"),
    )
    assert (model.windows.roi, model.windows.overlap, model.windows.placement) == ((6, 12, 16), 0.5, "even")
    assert (model.channels_in, model.spatial_dims, model.name) == (1, 3, trained.name)


def test_a_fold_or_the_datasets_folder_will_do(trained, copy) -> None:
    assert load_model(trained / "fold_1").module.names == ("fold_1",)
    assert load_model(copy.parent).module.names == ("fold_0", "fold_1")
    shutil.copytree(trained, copy.parent / "another")
    with pytest.raises(ModelError, match=f"found 2 trained models .another, {trained.name}.*name one"):
        load_model(copy.parent)


def test_options_are_nnunets(trained, copy) -> None:
    bare = load_model(trained, factory_arguments={"folds": "1", "mirroring": False})
    assert type(bare.module).__name__ == "PlainConvUNet"  # its layers keep their names
    given = {"step_size": 0.25, "gaussian": False, "folds": [1, 0]}
    model = load_model(trained, factory_arguments=given)
    assert (model.windows.overlap, model.windows.blend) == (0.75, "constant")
    assert model.module.names == ("fold_1", "fold_0")
    best = load_model(trained, factory_arguments={"checkpoint": "checkpoint_best.pth", "folds": 0})
    assert len(best.module) == 8
    (copy / "fold_0").rename(copy / "fold_all")
    assert load_model(copy).module.names == ("fold_1",)  # as nnU-Net does
    shutil.rmtree(copy / "fold_1")
    assert load_model(copy).module.names == ("fold_all",)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"fold": [0]},
            "unknown 'fold'; did you mean 'folds'.*checkpoint, mirroring, step_size, gaussian, trainer",
        ),
        ({"folds": [0, 0]}, "different folds"),
        ({"folds": "first"}, "different folds"),
        ({"folds": True}, "different folds"),
        ({"mirroring": "yes"}, "true or false"),
        ({"step_size": 0}, r"in \(0, 1\]"),
        ({"checkpoint": "../x.pth"}, "the name of a file in each fold"),
    ],
)
def test_options_that_cannot_be(given, words) -> None:
    with pytest.raises(InputError, match=words):
        Options.of(given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"folds": 3}, "no fold 3; found fold_0: checkpoint_best.pth, checkpoint_final.pth; fold_1"),
        ({"checkpoint": "latest.pth"}, "no fold has latest.pth; found fold_0: checkpoint_best.pth"),
        ({"checkpoint": "latest.pth", "folds": 0}, "no latest.pth in fold 0; found"),
        ({"trainer": "MyTrainer"}, "trained by 'MyTrainer', which is no trainer of the installed nnunetv2"),
    ],
)
def test_what_is_not_in_the_folder(trained, given, words) -> None:
    with pytest.raises(ModelError, match=words):
        load_model(trained, factory_arguments=given)


@pytest.mark.parametrize("name", ["plans.json", "dataset.json"])
def test_a_missing_file_is_named(copy, name) -> None:
    (copy / name).unlink()
    with pytest.raises(ModelError, match=f"no {name}; copy it"):
        load_model(copy)


def test_weights_beside_the_folder_are_refused(trained) -> None:
    with pytest.raises(InputError, match="leave weights out"):
        load_model(trained, trained / "fold_0" / CHECKPOINT)


def test_mirroring_needs_a_training_that_mirrored(trained, tmp_path) -> None:
    other = untrained(trained, tmp_path / "other", mirroring=())
    assert type(load_model(other).module).__name__ == "PlainConvUNet"
    with pytest.raises(InputError, match="trained without"):
        load_model(other, factory_arguments={"mirroring": True})


def test_a_cascade_is_refused(trained, tmp_path) -> None:
    other = untrained(trained, tmp_path / "other", change={"previous_stage": "3d_lowres"})
    with pytest.raises(ModelError, match=r"second stage of a cascade.*3d_lowres"):
        load_model(other)


def test_weights_of_another_network_are_refused(copy) -> None:
    edit(copy / "plans.json", lambda p: p["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"].update(
        features_per_stage=[4, 8, 16]
    ))  # fmt: skip
    with pytest.raises(ModelError, match=r"do not fit PlainConvUNet.*another shape"):
        load_model(copy)


class Evil:
    """What a pickle runs when it is read."""

    def __reduce__(self):
        return os.mkdir, (os.environ["EVIL"],)


def test_a_checkpoint_that_holds_code_is_refused_unrun(copy, tmp_path, monkeypatch) -> None:
    mark = tmp_path / "run"
    monkeypatch.setenv("EVIL", str(mark))
    file = copy / "fold_0" / CHECKPOINT
    spoilt(file, logging=Evil())
    with pytest.raises(ModelError, match=r"it holds .*mkdir.*trust_code"):
        load_model(copy)
    assert not mark.exists()
    assert load_model(copy, trust_code=True).module.names == ("fold_0", "fold_1")
    assert mark.exists()


def test_what_trainers_log_is_harmless(copy) -> None:
    """NumPy's numbers of every kind, arrays, and devices, also under the names of NumPy 1."""
    import numpy as np

    file = copy / "fold_0" / CHECKPOINT
    logged = [
        np.float64(1.5),
        np.float32(2),
        np.int64(3),
        np.bool_(True),
        np.arange(3.0),
        torch.device("cuda:0"),
    ]
    spoilt(file, logging=logged, _best_ema=np.float64(0.5))
    assert len(checkpoint.read(file).weights) > 0
    old = copy / "fold_0" / "old.pth"
    with zipfile.ZipFile(file) as new, zipfile.ZipFile(old, "w") as target:
        for entry in new.namelist():
            content = new.read(entry)
            if entry.endswith("data.pkl"):
                assert b"numpy._core.multiarray" in content
                content = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            target.writestr(entry, content)
    assert checkpoint.read(old).weights.keys() == checkpoint.read(file).weights.keys()
    with pytest.MonkeyPatch.context() as without:
        without.setattr(checkpoint, "_harmless", list)
        with pytest.raises(ModelError, match=r"numpy\.core\.multiarray"):
            checkpoint.read(old)


def test_another_file_is_no_checkpoint(copy) -> None:
    file = copy / "fold_0" / CHECKPOINT
    file.unlink()
    torch.save({"state_dict": {}}, file)
    with pytest.raises(ModelError, match=r"no checkpoint of nnU-Net v2.*found state_dict"):
        load_model(copy)
    file.write_bytes((copy / "fold_1" / CHECKPOINT).read_bytes()[:5000])
    with pytest.raises(ModelError, match="not a readable PyTorch file"):
        load_model(copy)


@pytest.mark.parametrize("key", ["network_class_name", "conv_op"])
def test_plans_may_name_nnunets_classes_only(copy, tmp_path, key, monkeypatch) -> None:
    (tmp_path / "evil_nets.py").write_text(
        f"import os\nos.mkdir({str(tmp_path / 'run')!r})\nclass Net: ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def change(plans) -> None:
        architecture = plans["configurations"]["3d_fullres"]["architecture"]
        place = architecture if key in architecture else architecture["arch_kwargs"]
        place[key] = "evil_nets.Net"

    edit(copy / "plans.json", change)
    with pytest.raises(ModelError, match=f"{key} is 'evil_nets.Net'"):
        load_model(copy)
    assert not (tmp_path / "run").exists()


def test_a_way_through_a_trusted_library_is_seen_through(copy) -> None:
    name = "dynamic_network_architectures.architectures.unet.torch.hub.load"
    edit(
        copy / "plans.json",
        lambda p: p["configurations"]["3d_fullres"]["architecture"].update(network_class_name=name),
    )
    with pytest.raises(ModelError, match=r"torch\.hub\.load"):
        load_model(copy)


def architecture_of(plans) -> dict:
    return plans["configurations"]["3d_fullres"]["architecture"]


def test_a_trusted_librarys_class_that_is_no_network_is_not_run(copy) -> None:
    """nnU-Net's trainer, which writes folders when it is made."""
    name = "nnunetv2.training.nnUNetTrainer.nnUNetTrainer.nnUNetTrainer"
    edit(copy / "plans.json", lambda p: architecture_of(p)["arch_kwargs"].update(nonlin=name))
    with pytest.raises(ModelError, match=rf"nonlin is '{name}', expected a torch\.nn\.Module"):
        load_model(copy)
    edit(copy / "plans.json", lambda p: architecture_of(p).update(network_class_name=name))
    with pytest.raises(ModelError, match=rf"network_class_name is '{name}', expected a torch\.nn\.Module"):
        load_model(copy)


RESIDUAL = {
    "n_stages": 3,
    "features_per_stage": [4, 8, 8],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
    "n_blocks_per_stage": [1, 2, 1],
    "n_conv_per_stage_decoder": [1, 1],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-05, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}


def make_old(plans) -> None:
    """Plans as nnU-Net wrote them before 2.4, of the network above."""
    configuration = plans["configurations"]["3d_fullres"]
    del configuration["architecture"]
    configuration |= {
        "UNet_class_name": "ResidualEncoderUNet",
        "UNet_base_num_features": 4,
        "unet_max_num_features": 8,
        "n_conv_per_stage_encoder": [1, 2, 1],
        "n_conv_per_stage_decoder": [1, 1],
        "num_pool_per_axis": [1, 2, 2],
        "pool_op_kernel_sizes": RESIDUAL["strides"],
        "conv_kernel_sizes": RESIDUAL["kernel_sizes"],
    }


@pytest.mark.parametrize("trust_code", [False, True])
def test_old_plans_name_a_class_that_has_moved(trained, tmp_path, monkeypatch, recwarn, trust_code) -> None:
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet",
        "arch_kwargs": RESIDUAL,
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    other = untrained(trained, tmp_path / "other", change={"architecture": architecture})
    new = load_model(other, factory_arguments={"mirroring": False})
    edit(other / "plans.json", make_old)
    monkeypatch.setitem(sys.modules, "timm", None)  # which other networks need
    old = load_model(other, trust_code=trust_code, factory_arguments={"mirroring": False})
    assert type(old.module) is type(new.module) and type(old.module).__name__ == "ResidualEncoderUNet"
    x = torch.rand(1, 1, 6, 12, 16)
    with torch.no_grad():
        assert torch.equal(old.module(x), new.module(x))
    assert not [w for w in recwarn if "old nnU-Net plans" in str(w.message)]


def test_a_class_that_was_never_there_is_refused(copy) -> None:
    name = "dynamic_network_architectures.architectures.residual_unet.NoSuchUNet"
    edit(copy / "plans.json", lambda p: architecture_of(p).update(network_class_name=name))
    with pytest.raises(ModelError, match=rf"network_class_name is '{name}', expected"):
        load_model(copy)


def test_what_a_networks_module_lacks_is_named(copy, monkeypatch) -> None:
    module = "dynamic_network_architectures.architectures.primus"
    for name in [n for n in sys.modules if n == module or n.split(".")[0] == "timm"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "timm", None)
    edit(copy / "plans.json", lambda p: architecture_of(p).update(network_class_name=f"{module}.PrimusM"))
    with pytest.raises(
        ModelError, match=r"PrimusM', whose module cannot be imported here .*; pip install timm$"
    ):
        load_model(copy)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: architecture_of(p).pop("_kw_requires_import"), "no '_kw_requires_import' in architecture"),
        (lambda p: architecture_of(p).pop("network_class_name"), "no 'network_class_name' in architecture"),
        (lambda p: architecture_of(p).update(arch_kwargs=[]), "architecture is not as nnU-Net writes it"),
        (lambda p: architecture_of(p).update(_kw_requires_import=None), "and a list _kw_requires_import"),
        (lambda p: p.pop("transpose_forward"), "no 'transpose_forward', which nnU-Net's preprocessing needs"),
        (
            lambda p: p.update(transpose_forward=[0, 1, 1]),
            r"transpose_forward is \[0, 1, 1\], expected 0, 1 and 2",
        ),
        (
            lambda p: p.pop("foreground_intensity_properties_per_channel"),
            "no 'foreground_intensity_properties_per_channel', which",
        ),
    ],
)
@pytest.mark.parametrize("trust_code", [False, True])
def test_plans_that_are_not_whole(copy, change, words, trust_code) -> None:
    edit(copy / "plans.json", change)
    with pytest.raises(ModelError, match=rf"plans\.json: .*{words}"):
        load_model(copy, trust_code=trust_code)


@pytest.mark.parametrize(
    "name",
    ["spacing", "preprocessor_name", "normalization_schemes", "use_mask_for_norm", "resampling_fn_data"],
)
def test_a_configuration_that_is_not_whole(copy, name) -> None:
    edit(copy / "plans.json", lambda p: p["configurations"]["3d_fullres"].pop(name))
    with pytest.raises(ModelError, match=rf"plans\.json: no '{name}', which nnU-Net's preprocessing needs"):
        load_model(copy)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spacing": [1.0, 0, 1.0]}, r"spacing is \[1\.0, 0, 1\.0\], expected 3 positive numbers"),
        ({"spacing": [1.0, 2.0]}, "expected 3 positive numbers"),
        (
            {"resampling_fn_data": "resample_my_way"},
            "resampling_fn_data is 'resample_my_way', which cannot be used",
        ),
        (
            {"resampling_fn_seg": "OrderedDict"},
            "resampling_fn_seg is 'OrderedDict', expected a function of nnunetv2",
        ),
    ],
)
def test_steps_that_cannot_be_are_refused_when_loaded(trained, tmp_path, change, words) -> None:
    other = untrained(trained, tmp_path / "other", change=change)
    with pytest.raises(ModelError, match=words):
        load_model(other)


@pytest.mark.parametrize("axes", [(0, 1, 3), (0, 0), (-1,)])
def test_mirroring_axes_that_the_network_lacks(trained, tmp_path, axes) -> None:
    other = untrained(trained, tmp_path / "other", mirroring=axes)
    with pytest.raises(
        ModelError, match=r"fold_0.*inference_allowed_mirroring_axes is \(.*0 to 2; .*mirroring=false"
    ):
        load_model(other)
    assert type(load_model(other, factory_arguments={"mirroring": False}).module).__name__ == "PlainConvUNet"


@pytest.mark.parametrize("name", ["fold_0_backup", "fold_0.old", "fold_", "fold_x"])
def test_other_folders_are_no_folds(copy, name) -> None:
    shutil.copytree(copy / "fold_0", copy / name)
    assert load_model(copy).module.names == ("fold_0", "fold_1")


def test_a_fold_may_be_a_link(copy, tmp_path, monkeypatch) -> None:
    (copy / "fold_0").rename(tmp_path / "x")
    (copy / "fold_0").symlink_to(tmp_path / "x")
    assert load_model(copy).module.names == ("fold_0", "fold_1")
    assert load_model(copy / "fold_0").module.names == ("fold_0",)
    monkeypatch.chdir(copy / "fold_1")
    assert load_model(Path()).module.names == ("fold_1",)
    assert load_model(Path("..")).module.names == ("fold_0", "fold_1")


def test_trainers_elsewhere_are_said_not_to_be_read(trained) -> None:
    with pytest.raises(
        ModelError, match="only installed trainers, not those of the environment variable nnUNet_ext"
    ):
        load_model(trained, factory_arguments={"trainer": "MyTrainer"})


def test_nothing_is_printed(copy, capsys) -> None:
    edit(copy / "plans.json", lambda p: p.pop("label_manager"))
    load_model(copy)
    assert capsys.readouterr().out == ""


def test_a_preprocessor_or_reader_of_ones_own_is_refused(trained, tmp_path) -> None:
    one = untrained(trained, tmp_path / "one", change={"preprocessor_name": "load_json"})
    with pytest.raises(ModelError, match="preprocessor 'load_json' is not nnU-Net's own"):
        load_model(one)
    other = untrained(trained, tmp_path / "other", plans_change={"image_reader_writer": "MyReader"})
    with pytest.raises(ModelError, match="read by 'MyReader'"):
        load_model(other)


def test_without_nnunet_one_line_says_what_to_install(trained, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "nnunetv2.utilities.plans_handling.plans_handler", None)
    with pytest.raises(ModelError, match=r"pip install voxplain\[nnunet\]"):
        load_model(trained)


def test_other_folders_are_none_of_its_business(tmp_path) -> None:
    (tmp_path / "configs").mkdir()
    assert not folder.looks_like(tmp_path) and not folder.looks_like(tmp_path / "nothing")
    with pytest.raises(ModelError, match="expected a MONAI bundle folder"):
        load_model(tmp_path)


def test_the_probe_runs_one_member_and_leaves_nothing_behind(trained) -> None:
    model = load_model(trained)
    assert not model.module._alone
    prepared = model.prepare(subject(1))
    with model.frozen(), torch.no_grad():
        x = prepared.image[None, :, :6, :12, :16]
        assert not torch.equal(model.forward(x), model.module.fold_0(x))
