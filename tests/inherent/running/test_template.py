"""The commented YAML is the defaults, and can be read."""

from __future__ import annotations

import numpy as np

from voxplain.cli.app import run
from voxplain.inherent import InherentSettings, load_inherent
from voxplain.settings.reading import read_yaml


def test_the_template_says_the_defaults(tmp_path):
    path = tmp_path / "all.yaml"
    assert run(["config", "--inherent", str(path)]) == 0
    told = read_yaml(path)
    (tmp_path / "images.csv").write_text("image,label\n")
    found = load_inherent(path)
    expected = InherentSettings(data={"source": tmp_path / "images.csv"}, out=tmp_path / "inherent")
    assert found == expected
    assert set(told) == set(InherentSettings.model_fields)
    text = path.read_text()
    assert "# of BraTS" in text and np.all([f"\n{name}:" in text for name in told if name != "out"])
