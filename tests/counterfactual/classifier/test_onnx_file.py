"""A network in an ONNX file gives what its formula gives."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from voxplain.counterfactual.classifier.onnx_file import OnnxFile
from voxplain.errors import ModelError

IMAGES = np.random.default_rng(0).normal(size=(5, 1, 3, 4)).astype(np.float32)
WEIGHT = np.random.default_rng(1).normal(size=(12, 2)).astype(np.float32)
OFFSET = np.array([0.5, -1.0], np.float32)


def written(path, *, count="N", outputs=("logits",)):
    """A linear network; further outputs are the same."""
    pytest.importorskip("onnx", reason="onnx makes the files")
    from onnx import TensorProto, helper, numpy_helper, save

    nodes = [helper.make_node("Flatten", ["image"], ["flat"])]
    nodes += [helper.make_node("Gemm", ["flat", "w", "b"], [name]) for name in outputs]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [count, 1, 3, 4])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [count, 2]) for name in outputs]
    weights = [numpy_helper.from_array(WEIGHT, "w"), numpy_helper.from_array(OFFSET, "b")]
    graph = helper.make_graph(nodes, "linear", [image], ends, weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


@pytest.fixture(params=["onnxruntime", "reference"])
def engine(request, monkeypatch):
    if request.param == "reference":
        pytest.importorskip("onnx", reason="its reference runs the files")
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
    else:
        pytest.importorskip("onnxruntime", reason="it runs the files")


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("count", ["N", 1, 2])
def test_logits_are_those_of_the_formula_whatever_batch_the_file_takes(tmp_path, count):
    file = OnnxFile(written(tmp_path / "net.onnx", count=count))
    assert file.spatial_dims == 2
    np.testing.assert_allclose(file(IMAGES), IMAGES.reshape(5, 12) @ WEIGHT + OFFSET, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("engine")
def test_an_output_is_named(tmp_path):
    path = written(tmp_path / "two.onnx", outputs=("features", "logits"))
    with pytest.raises(
        ModelError, match=r"classifier.head: not given, and .* 2 outputs \(features, logits\)"
    ):
        OnnxFile(path)
    with pytest.raises(ModelError, match=r"found 'logit'; did you mean 'logits'"):
        OnnxFile(path, "logit")
    assert OnnxFile(path, "logits")(IMAGES).shape == OnnxFile(path, 1)(IMAGES).shape == (5, 2)


@pytest.mark.usefixtures("engine")
def test_a_file_that_is_none(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"net.onnx cannot be read as ONNX"):
        OnnxFile(tmp_path / "net.onnx")


def test_what_is_missing_is_told(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match=r"classifier.source: .*net.onnx does not exist"):
        OnnxFile(tmp_path / "net.onnx")
    (tmp_path / "net.onnx").write_bytes(b"")
    for name in ("onnxruntime", "onnx", "onnx.reference"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModelError, match=r"needs onnxruntime to be asked; pip install 'voxplain\[onnx\]'"):
        OnnxFile(tmp_path / "net.onnx")
