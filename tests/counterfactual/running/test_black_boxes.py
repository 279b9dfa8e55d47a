"""A function, an ONNX file and an endpoint that say the same are explained the same, and are asked as often as was told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from counterfactual_files import config
from logit_server import served
from simulator_files import read_rows

from voxplain.cli.app import run
from voxplain.counterfactual.settings import load_counterfactual
from voxplain.errors import InputError

SHARED = {"classes": ["healthy", "diseased"], "spatial_dims": 2}
FEW = {"device": "cpu", "cases": 1, "most": 2, "files": ["difference"]}


def box(images):
    return 20 * (images[:, 0, 4:8, 4:8].mean((1, 2))[:, None] - 0.5) * [[-1.0, 1.0]]


def explained(root: Path, classifier, out: str) -> list[dict[str, str]]:
    told = {
        "generator": {"folder": "out/generator"},
        "classifier": classifier | SHARED,
        "explain": FEW,
        "out": out,
    }
    assert run(["counterfactual", "explain", str(config(root, **told))]) == 0
    return read_rows(root / out / "explanation/images.csv")


def test_an_endpoint_is_explained_as_the_function_behind_it_and_costs_what_was_told(trained, capsys):
    wanted = explained(trained, {"source": "nets.py:box", "black_box": True}, "function")
    with served(box) as server:
        capsys.readouterr()
        found = explained(trained, {"source": server.url, "batch": 16}, "endpoint")
        said = capsys.readouterr().out
        asked, again = server.asked, explained(trained, {"source": server.url, "batch": 16}, "endpoint")
    for one, other in zip(wanted, found, strict=True):
        assert one["id"] == other["id"] and one["flipped"] == other["flipped"]
        assert float(one["dose"]) == pytest.approx(float(other["dose"]), rel=1e-3)
    assert max(server.sizes) <= 16
    (most, first, each) = (int(n.replace(",", "")) for n in re.findall(
        r"at most ([\d,]+) images, ([\d,]+) for the direction and ([\d,]+) for each", said)[0])  # fmt: skip
    total, now = (
        int(n.replace(",", "")) for n in re.findall(r"about ([\d,]+) images for this \(([\d,]+) now", said)[0]
    )
    assert most == first + 2 * each and 0.8 * most < total <= most
    assert now == asked and now - total < 40  # those that try it out
    assert again == found and server.asked - asked < 40  # nothing is asked twice


def test_an_onnx_file_is_a_black_box_without_being_told_so(trained):
    pytest.importorskip("onnxruntime", reason="it runs the file")
    pytest.importorskip("onnx", reason="it makes the file")
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    weight = np.zeros((16, 16), np.float32)
    weight[4:8, 4:8] = 20 / 16
    weights = [numpy_helper.from_array(np.stack([-weight.ravel(), weight.ravel()], 1), "w"),
               numpy_helper.from_array(np.array([10, -10], np.float32), "b")]  # fmt: skip
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("Gemm", ["f", "w", "b"], ["y"])]
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 16, 16])], [
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])]  # fmt: skip
    model = helper.make_model(
        helper.make_graph(nodes, "box", *ports, weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    save(model, str(trained / "box.onnx"))
    wanted = explained(trained, {"source": "nets.py:box", "black_box": True}, "function")
    found = explained(trained, {"source": "box.onnx"}, "onnx")
    for one, other in zip(wanted, found, strict=True):
        assert float(one["dose"]) == pytest.approx(float(other["dose"]), rel=1e-3)
    with pytest.raises(InputError, match="found gradient for a black box"):
        load_counterfactual(config(trained, classifier={"source": "box.onnx"}, direction="gradient"))


def test_an_endpoint_of_probabilities_is_refused(trained, capsys):
    with served(lambda x: 1 / (1 + abs(box(x)))) as server:
        capsys.readouterr()
        path = config(trained, classifier={"source": server.url} | SHARED)
        assert run(["counterfactual", "explain", str(path)]) == 2
    assert "gives probabilities, expected logits" in capsys.readouterr().err
