"""Answers outlive whoever gave them: a server that dies, and a run that goes on where it was cut off."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from counterfactual_files import config
from logit_server import served
from safetensors.torch import load_file

from voxplain.cli.app import run
from voxplain.counterfactual.running import kept_answers
from voxplain.counterfactual.running.kept_answers import Answers

SHARED = {"classes": ["healthy", "diseased"], "spatial_dims": 2}
FEW = {"device": "cpu", "cases": 0, "most": 1, "files": []}


def box(images):
    return 20 * (images[:, 0, 4:8, 4:8].mean((1, 2))[:, None] - 0.5) * [[-1.0, 1.0]]


class Counted(torch.nn.Module):
    """Twice the mean; raises at the image that is too much."""

    def __init__(self, most=10**9):
        super().__init__()
        self.seen, self.most = 0, most

    def forward(self, x):
        if self.seen + len(x) > self.most:
            raise RuntimeError("gone")
        self.seen += len(x)
        return 2 * x.flatten(1).mean(1, keepdim=True)


def test_a_stream_of_answers_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_answers, "EVERY", 5)
    images, path = torch.randn(20, 1, 3, 3), tmp_path / "a.safetensors"
    wanted = 2 * images.flatten(1).mean(1, keepdim=True)

    def asked(classifier, kind="a", batch=3):
        with Answers(path, kind, classifier) as answers:
            return torch.cat([answers(part) for part in torch.split(images, batch)]), answers

    with pytest.raises(RuntimeError, match="gone"):
        asked(Counted(11))
    assert len(load_file(path)["outputs"]) == 9  # and not the six that a chunk would have held
    again = Counted()
    found, answers = asked(again, batch=4)  # in other batches, too
    assert torch.equal(found, wanted) and again.seen == 11
    other = Counted()
    asked(other, "another classifier")
    assert other.seen == 20
    answers.forget()
    assert not path.exists()


def test_what_is_not_finite_is_not_kept(tmp_path):
    path = tmp_path / "a.safetensors"

    def broken(x):
        return torch.full((len(x), 1), float("nan"))

    with pytest.raises(ValueError), Answers(path, "a", broken) as answers:
        assert bool(answers(torch.zeros(2, 1, 3, 3)).isnan().all())
        raise ValueError
    assert not path.exists()


def test_a_server_that_dies_is_asked_for_the_rest_alone(trained, tmp_path, capsys):
    def explained(server, out) -> int:
        told = {
            "generator": {"folder": "out/generator"}, "explain": FEW, "out": str(tmp_path / out),
            "direction": {"samples": 120, "images": 40, "nulls": 1},
            "classifier": {"source": server.url, "retries": 0, "batch": 16} | SHARED,
        }  # fmt: skip
        return run(["counterfactual", "explain", str(config(trained, **told))])

    with served(box) as server:  # key and answers are those of one address
        assert explained(server, "whole") == 0
        whole, server.asked, server.most = server.asked, 0, 110
        assert explained(server, "cut") == 2
        assert "answers with status 500 (gone)" in capsys.readouterr().err
        explanation = Path(tmp_path / "cut/explanation")
        kept = len(load_file(explanation / "answers.safetensors")["outputs"])
        assert 40 <= kept <= 110 and not (explanation / "queries.safetensors").exists()
        tried, server.asked, server.most = server.asked, 0, None
        capsys.readouterr()
        assert explained(server, "cut") == 0
    queries = 120 + 2 * len(load_file(tmp_path / "whole/explanation/queries.safetensors")["real"])
    (first,) = re.findall(r"images, ([\d,]+) for the direction", capsys.readouterr().out)
    assert int(first) == queries - kept
    lead = tried - kept  # trying it out, and answers of the batch that failed
    assert abs(server.asked - (whole - kept)) <= 64 and lead < 100
    assert not (explanation / "answers.safetensors").exists()
    one, other = (load_file(tmp_path / o / "explanation/queries.safetensors") for o in ("whole", "cut"))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)
    told = [json.loads((tmp_path / o / "explanation/summary.json").read_text()) for o in ("whole", "cut")]
    assert told[0] == told[1]
