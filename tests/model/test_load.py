"""Every form in which a network comes gives the same answers, and every fault one clear line."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from voxplain.errors import InputError, ModelError, VoxplainError
from voxplain.model import Windows, export as export_room, load_model, read_classes, torchscript


class Net(nn.Module):
    def __init__(self, dims: int = 2, channels: int = 1, classes: int = 3) -> None:
        super().__init__()
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        norm = nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d
        self.encoder = nn.Sequential(
            conv(channels, 4, 3, padding=1), norm(4), nn.ReLU(inplace=True), nn.Dropout(0.5)
        )
        self.last = conv(4, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.encoder(x))


def net(**arguments: int) -> Net:
    torch.manual_seed(0)
    return Net(**arguments).eval()


FACTORY = """
from pathlib import Path
import torch
from torch import nn
from blocks import WIDTH
HERE = Path(__file__).parent
class Net(nn.Module):
    def __init__(self, dims=2, channels=1, classes=3):
        super().__init__()
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        norm = nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d
        first = conv(channels, WIDTH, 3, padding=1)
        self.encoder = nn.Sequential(first, norm(WIDTH), nn.ReLU(inplace=True), nn.Dropout(0.5))
        self.last = conv(WIDTH, classes, 1)
    def forward(self, x):
        return self.last(self.encoder(x))
def build(classes=int((HERE / "classes.txt").read_text())):
    return Net(classes=classes)
def broken(): raise KeyError("no such thing")
def nothing(): return 3
NUMBER = 3
"""


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    (tmp_path / "classes.txt").write_text("3")
    (tmp_path / "blocks.py").write_text("WIDTH = 4")
    (tmp_path / "nets.py").write_text(FACTORY)
    return tmp_path / "nets.py"


def one_line(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text
    return text


X = torch.rand(2, 1, 12, 16, generator=torch.Generator().manual_seed(1))


def answer(model) -> torch.Tensor:
    with model.frozen(), torch.no_grad():
        return model.forward(X)


@pytest.fixture
def truth() -> torch.Tensor:
    with torch.no_grad():
        return net()(X)


def state() -> dict:
    return {k: v.clone() for k, v in net().state_dict().items()}


class TestFactory:
    @pytest.mark.parametrize("suffix", ["pt", "safetensors"])
    def test_a_file_with_weights_gives_the_networks_output(self, factory, truth, suffix) -> None:
        file = factory.parent / f"w.{suffix}"
        save_file(state(), file) if suffix == "safetensors" else torch.save(state(), file)
        path = list(sys.path)
        model = load_model(f"{factory}:build", file, classes="a,b,c")
        assert sys.path == path
        assert torch.equal(answer(model), truth)
        assert (model.task, model.output, model.spatial_dims, model.channels_out) == (
            "segmentation",
            "softmax",
            2,
            3,
        )

    def test_arguments_reach_the_factory(self, factory) -> None:
        assert load_model(f"{factory}:build", factory_arguments={"classes": 7}).channels_out == 7

    def test_a_class_can_be_the_factory(self, factory) -> None:
        assert load_model(f"{factory}:Net", factory_arguments={"dims": 3}).spatial_dims == 3

    def test_an_installed_module_can_be_named(self) -> None:
        model = load_model(
            "monai.networks.nets:BasicUNet",
            factory_arguments={"spatial_dims": 2, "features": (4,) * 6, "out_channels": 5},
        )
        assert model.channels_out == 5

    def test_two_folders_may_have_modules_of_the_same_name(self, factory, tmp_path_factory) -> None:
        other = tmp_path_factory.mktemp("other")
        (other / "classes.txt").write_text("2")
        (other / "blocks.py").write_text("WIDTH = 6")
        (other / "nets.py").write_text(FACTORY)
        widths = [
            load_model(f"{f}:build").module.last.in_channels for f in (factory, other / "nets.py", factory)
        ]
        assert widths == [4, 6, 4]

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("nets.py:biuld", "did you mean 'build'"),
            ("nots.py:build", "did you mean 'nets.py'"),
            ("nets.py:broken", "raised KeyError: 'no such thing'"),
            ("nets.py:nothing", "returned int, expected a torch.nn.Module"),
            ("nets.py:NUMBER", "expected a function"),
            ("nets.py", "which function of it"),
            ("nets.pt", "no file or folder"),
        ],
    )
    def test_faults_are_one_clear_line(self, factory, name, says) -> None:
        with pytest.raises(ModelError) as error:
            load_model(f"{factory.parent / name}")
        assert says in one_line(error.value)

    def test_a_file_that_does_not_import(self, tmp_path) -> None:
        (tmp_path / "bad.py").write_text("import nothing_of_that_name")
        with pytest.raises(ModelError, match=r"importing .*bad.py raised ModuleNotFoundError"):
            load_model(f"{tmp_path / 'bad.py'}:build")

    def test_a_package_that_is_not_there(self) -> None:
        with pytest.raises(ModelError, match=r"no module 'nothing_of_that_name.nets'"):
            load_model("nothing_of_that_name.nets:build")

    def test_other_objects_are_refused(self) -> None:
        with pytest.raises(InputError, match=r"found int, expected a torch.nn.Module"):
            load_model(3)  # type: ignore[arg-type]


class Touch:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


class TestWeights:
    @pytest.mark.parametrize(
        "key", ["state_dict", "model_state_dict", "network_weights", "net", "model", "anything"]
    )
    def test_usual_nestings_are_unwrapped(self, tmp_path, truth, key) -> None:
        torch.save({key: state(), "epoch": 3}, tmp_path / "w.pt")
        assert torch.equal(answer(load_model(net(), tmp_path / "w.pt")), truth)

    @pytest.mark.parametrize(
        "prefix", ["module.", "_orig_mod.", "model.", "net.", "module._orig_mod.", "model.net."]
    )
    def test_wrappers_prefixes_are_stripped(self, tmp_path, truth, prefix) -> None:
        torch.save(
            {prefix + k: v for k, v in state().items()} | {"loss.weight": torch.ones(3)}, tmp_path / "w.pt"
        )
        assert torch.equal(answer(load_model(Net(), tmp_path / "w.pt")), truth)

    def test_prefixes_that_belong_to_the_network_stay(self, tmp_path) -> None:
        wrapped = nn.Module()
        wrapped.model = net()
        wrapped.forward = wrapped.model.forward
        with torch.no_grad():
            saved = {name: torch.full_like(value, 0.25) for name, value in wrapped.state_dict().items()}
        assert all(name.startswith("model.") for name in saved)
        torch.save(saved, tmp_path / "w.pt")
        loaded = load_model(wrapped, tmp_path / "w.pt").module.state_dict()
        assert loaded.keys() == saved.keys()
        assert all(torch.equal(loaded[name], saved[name]) for name in saved)

    def test_a_mismatch_is_one_line_with_counts_and_shapes(self, tmp_path) -> None:
        wrong = state()
        del wrong["encoder.0.bias"]
        wrong["extra"] = torch.zeros(2)
        wrong["last.weight"] = torch.zeros(5, 4, 1, 1)
        torch.save(wrong, tmp_path / "w.pt")
        module = Net()
        before = {k: v.clone() for k, v in module.state_dict().items()}
        with pytest.raises(ModelError) as error:
            load_model(module, tmp_path / "w.pt")
        text = one_line(error.value)
        assert "1 of 9 missing in the file (encoder.0.bias)" in text
        assert "1 of 9 in the file unknown to the network (extra)" in text
        assert "1 of another shape (last.weight: file (5, 4, 1, 1), network (3, 4, 1, 1))" in text
        assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())

    def test_pickled_code_is_not_run_unless_trusted(self, tmp_path) -> None:
        mark = tmp_path / "mark"
        torch.save({"state_dict": state(), "extra": Touch(mark)}, tmp_path / "w.pt")
        with pytest.raises(ModelError, match=r"pickled Python objects .*trust_code=True") as error:
            load_model(Net(), tmp_path / "w.pt")
        one_line(error.value)
        assert not mark.exists()
        load_model(Net(), tmp_path / "w.pt", trust_code=True)
        assert mark.exists()

    def test_a_whole_pickled_network_is_refused_unless_trusted(self, tmp_path, truth) -> None:
        torch.save(nn.Sequential(net().encoder, net().last), tmp_path / "w.pt")
        module = nn.Sequential(Net().encoder, Net().last)
        with pytest.raises(ModelError, match=r"pickled Python objects"):
            load_model(module, tmp_path / "w.pt")
        assert torch.equal(answer(load_model(module, tmp_path / "w.pt", trust_code=True)), truth)

    @pytest.mark.parametrize(
        ("name", "content", "says"),
        [
            ("w.pt", b"", "not a"),
            ("w.pt", b"hello world, this is not a network", "not a"),
            ("w.safetensors", b"hello world, this is not a network", "not a whole safetensors file"),
        ],
    )
    def test_broken_files(self, tmp_path, name, content, says) -> None:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match=says) as error:
            load_model(Net(), tmp_path / name)
        one_line(error.value)

    def test_a_truncated_file(self, tmp_path) -> None:
        torch.save(state(), tmp_path / "w.pt")
        (tmp_path / "w.pt").write_bytes((tmp_path / "w.pt").read_bytes()[:-200])
        with pytest.raises(ModelError) as error:
            load_model(Net(), tmp_path / "w.pt")
        one_line(error.value)

    def test_a_file_without_weights(self, tmp_path) -> None:
        torch.save({"epoch": 3}, tmp_path / "w.pt")
        with pytest.raises(ModelError, match="without a state dict"):
            load_model(Net(), tmp_path / "w.pt")

    def test_a_missing_file(self, tmp_path) -> None:
        with pytest.raises(ModelError, match="weights: no file"):
            load_model(Net(), tmp_path / "w.pt")

    def test_weights_alone_are_no_network(self, tmp_path) -> None:
        torch.save(state(), tmp_path / "w.pt")
        with pytest.raises(ModelError, match=r"weights without a network; .*file.py:function"):
            load_model(tmp_path / "w.pt")


class TestTorchScript:
    @pytest.mark.parametrize("how", ["script", "trace"])
    def test_it_answers_and_is_frozen_and_restored(self, tmp_path, truth, how) -> None:
        scripted = torch.jit.script(net()) if how == "script" else torch.jit.trace(net(), X)
        scripted.save(tmp_path / "m.pt")
        model = load_model(tmp_path / "m.pt", output="softmax")
        assert (model.spatial_dims, model.channels_in, model.task) == (2, 1, "segmentation")
        assert torch.allclose(answer(model), truth, atol=1e-6)
        with model.frozen():
            assert not any(p.requires_grad for p in model.module.parameters())
        assert all(p.requires_grad for p in model.module.parameters())

    def test_layers_need_python(self, tmp_path) -> None:
        torch.jit.script(net()).save(tmp_path / "m.pt")
        model = load_model(tmp_path / "m.pt")
        for ask in (lambda: model.layer("last"), model.layers, lambda: model.need_hooks("grad_cam")):
            with pytest.raises(ModelError, match=r"no Python hooks .*Python factory"):
                ask()

    def test_a_script_in_training_mode_is_held_still_and_given_back(self, tmp_path) -> None:
        torch.jit.script(Net().train()).save(tmp_path / "m.pt")
        model = load_model(tmp_path / "m.pt")
        assert torch.equal(answer(model), answer(model))  # dropout and running statistics would differ
        assert all(m.training for m in model.module.modules())

    def test_a_frozen_script_is_taken(self, tmp_path, truth) -> None:
        torch.jit.freeze(torch.jit.script(net())).save(tmp_path / "m.ts")
        assert torch.allclose(answer(load_model(tmp_path / "m.ts", spatial_dims=2)), truth, atol=1e-6)

    def test_what_a_trace_keeps_as_constants_comes_along_to_the_device(self, tmp_path) -> None:
        torch.jit.trace(Shifted(), X).save(tmp_path / "m.pt")
        assert torchscript.load(tmp_path / "m.pt", "meta")(X.to("meta")).device.type == "meta"

    def test_its_weights_are_inside(self, tmp_path) -> None:
        torch.jit.script(net()).save(tmp_path / "m.pt")
        with pytest.raises(InputError, match="leave weights out"):
            load_model(tmp_path / "m.pt", tmp_path / "w.pt")


class Shifted(nn.Module):
    """Adds a tensor that is neither parameter nor buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 1)
        self.shift = torch.ones(3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x) + self.shift


class Ramp(Shifted):
    """Makes a tensor on the fly as well."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * torch.arange(x.shape[-1])


def export(module: nn.Module, path: Path, x: torch.Tensor, dynamic: bool) -> Path:
    free = {0: torch.export.Dim.AUTO, 2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO} if dynamic else None
    program = torch.export.export(module, (x,), dynamic_shapes=(free,) if free else None)
    torch.export.save(program, path)
    return path


@pytest.mark.filterwarnings("ignore::FutureWarning")
class TestExport:
    def test_free_sizes_stay_free(self, tmp_path, truth) -> None:
        model = load_model(export(net(), tmp_path / "m.pt2", torch.rand(2, 1, 20, 24), dynamic=True))
        assert (model.fixed_batch, model.fixed_shape) == (None, None)
        assert torch.allclose(answer(model), truth, atol=1e-6)

    def test_fixed_sizes_are_kept_and_batches_are_made_to_fit(self, tmp_path, truth) -> None:
        model = load_model(export(net(), tmp_path / "m.pt2", torch.rand(3, 1, 12, 16), dynamic=False))
        assert (model.fixed_batch, model.fixed_shape, model.windows) == (3, (12, 16), Windows(roi=(12, 16)))
        assert torch.allclose(answer(model), truth, atol=1e-6)
        x = X.clone().requires_grad_()
        model.forward(x)[:, 1].sum().backward()
        y = X.clone().requires_grad_()
        net()(y)[:, 1].sum().backward()
        assert torch.allclose(x.grad, y.grad, atol=1e-6)
        with pytest.raises(ModelError, match=r"takes only \(12, 16\); use windows with roi=\(12, 16\)"):
            model.forward(torch.rand(3, 1, 16, 16))

    def test_layers_have_their_names_and_hooks(self, tmp_path) -> None:
        model = load_model(export(net(), tmp_path / "m.pt2", torch.rand(2, 1, 20, 24), dynamic=True))
        names = [layer.name for layer in model.layers()]
        assert "encoder.0" in names
        assert "last" in names

    def test_it_is_frozen_and_restored(self, tmp_path) -> None:
        model = load_model(export(net(), tmp_path / "m.pt2", torch.rand(2, 1, 20, 24), dynamic=True))
        before = [m.training for m in model.module.modules()]
        with model.frozen():
            assert not any(p.requires_grad for p in model.module.parameters())
        assert all(p.requires_grad for p in model.module.parameters())
        assert [m.training for m in model.module.modules()] == before

    def test_constants_and_new_tensors_come_along_to_the_device(self, tmp_path) -> None:
        file = export(Ramp().eval(), tmp_path / "m.pt2", X, dynamic=False)
        assert export_room.load(file, device="meta").module(X.to("meta")).device.type == "meta"

    def test_training_mode_is_refused(self, tmp_path) -> None:
        with pytest.raises(ModelError, match=r"training mode; call net.eval\(\)"):
            load_model(export(Net().train(), tmp_path / "m.pt2", torch.rand(2, 1, 20, 24), dynamic=False))

    def test_a_forged_size_is_not_evaluated(self, tmp_path) -> None:
        mark = tmp_path / "mark"
        good = export(net(), tmp_path / "m.pt2", torch.rand(2, 1, 20, 24), dynamic=True)
        forged = rewrite(
            good, tmp_path / "forged.pt2", "expr_str", f"__import__('pathlib').Path('{mark}').touch()"
        )
        with pytest.raises(ModelError, match=r"a size that is not arithmetic"):
            load_model(forged)
        assert not mark.exists()

    def test_a_forged_operator_is_refused(self, tmp_path) -> None:
        good = export(net(), tmp_path / "m.pt2", torch.rand(2, 1, 20, 24), dynamic=True)
        forged = rewrite(good, tmp_path / "forged.pt2", "target", "torch.hub.load", only="torch.ops")
        with pytest.raises(ModelError, match=r"operator that is not a tensor's \('torch.hub.load'\)"):
            load_model(forged)

    def test_a_forged_pickle_is_not_run(self, tmp_path) -> None:
        mark = tmp_path / "mark"
        good = export(net(), tmp_path / "m.pt2", torch.rand(2, 1, 20, 24), dynamic=True)
        payload = io.BytesIO()
        torch.save(Touch(mark), payload)

        def copy(file: Path, swap: bool) -> Path:
            with zipfile.ZipFile(good) as old, zipfile.ZipFile(file, "w") as new:
                for name in old.namelist():
                    forged = swap and "sample_inputs" in name
                    new.writestr(name, payload.getvalue() if forged else old.read(name))
            return file

        load_model(copy(tmp_path / "same.pt2", swap=False))
        with pytest.raises(ModelError, match=r"not a torch.export file"):
            load_model(copy(tmp_path / "forged.pt2", swap=True))
        assert not mark.exists()


def rewrite(old: Path, new: Path, key: str, value: str, only: str = "") -> Path:
    """A copy of an archive in which a JSON key has another text."""

    def walk(content: object) -> object:
        if isinstance(content, dict):
            return {
                k: value if k == key and isinstance(v, str) and only in v else walk(v)
                for k, v in content.items()
            }
        return [walk(v) for v in content] if isinstance(content, list) else content

    with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, json.dumps(walk(json.loads(data))) if name.endswith("model.json") else data)
    return new


class TestClasses:
    @pytest.mark.parametrize(
        "content",
        [
            ["a", "b", "c"],
            {"labels": ["a", "b", "c"]},
            {"labels": {"2": "c", "0": "a", "1": "b"}},
            {"labels": {"c": 2, "a": 0, "b": 1}, "channel_names": {"0": "CT"}},
            {"0": "a", "1": "b", "2": "c"},
        ],
    )
    def test_json_forms(self, tmp_path, content) -> None:
        (tmp_path / "c.json").write_text(json.dumps(content))
        assert read_classes(tmp_path / "c.json") == ("a", "b", "c")
        assert read_classes(str(tmp_path / "c.json")) == ("a", "b", "c")

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            ('{"names": ["a"]}', "has no 'labels'"),
            ('{"labels": {"1": "a", "2": "b"}}', r"found the numbers \[1, 2\], expected 0 to 1"),
            ('{"labels": {"a": [1, 2], "b": 0}}', "expected numbers to names"),
            ("3", "expected a list"),
            ("{", "not readable as JSON"),
            ('["a", ""]', "empty name"),
        ],
    )
    def test_faults(self, tmp_path, content, says) -> None:
        (tmp_path / "c.json").write_text(content)
        with pytest.raises(InputError, match=says):
            read_classes(tmp_path / "c.json")
        with pytest.raises(InputError, match="no file"):
            read_classes(tmp_path / "d.json")

    def test_names_must_be_as_many_as_outputs(self) -> None:
        with pytest.raises(
            VoxplainError, match=r"found 2 names, but Net has 3 output channels; give 3 names"
        ):
            load_model(net(), classes="a,b")

    def test_a_binary_network_has_two(self) -> None:
        assert load_model(net(classes=1), classes="vessel").classes == ("background", "vessel")
        assert load_model(net(classes=1)).classes == ("background", "foreground")
        with pytest.raises(VoxplainError, match="give 2 names"):
            load_model(net(classes=1), classes="a,b,c")


def test_loading_leaves_the_users_random_numbers_alone(factory) -> None:
    module = net()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_model(module)
    assert torch.equal(torch.rand(3), expected)


def test_a_device_that_is_not_here() -> None:
    with pytest.raises(ModelError, match="device 'nonsense' cannot be used"):
        load_model(net(), device="nonsense")
