"""The room offers its public names without loading them."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import voxplain.simulator as room


def test_importing_the_room_loads_neither_torch_nor_numpy():
    code = "import sys, voxplain.simulator; print({'torch', 'numpy', 'monai'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


@pytest.mark.parametrize("name", room.__all__)
def test_every_name_is_its_modules_own(name):
    assert getattr(room, name) is getattr(import_module(room._EXPORTS[name]), name)
    assert name in dir(room)


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(room.__file__).read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    assert {a.asname: node.module for node in imports for a in node.names} == room._EXPORTS


def test_an_unknown_name_is_told():
    with pytest.raises(AttributeError, match=r"'voxplain\.simulator' has no attribute 'warper'"):
        room.warper  # noqa: B018
