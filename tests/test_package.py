"""The package as a whole: what importing it costs, what it offers, and that its parts agree."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import voxplain

ROOT = Path(__file__).parent.parent
HEAVY = {
    "torch",
    "monai",
    "numpy",
    "scipy",
    "matplotlib",
    "nibabel",
    "pydicom",
    "skimage",
    "pydantic",
    "typer",
}
ROOMS = sorted(path.parent.name for path in Path(voxplain.__file__).parent.glob("*/__init__.py"))


def loaded_after(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter holds after running `code`."""
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*{{m.split('.')[0] for m in sys.modules}})"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(shown.stdout.split())


def type_checker_names() -> set[tuple[str, str]]:
    """(name, room) of every import in the TYPE_CHECKING block of voxplain/__init__.py."""
    tree = ast.parse(Path(voxplain.__file__).read_text(encoding="utf-8"))
    blocks = [n for n in tree.body if isinstance(n, ast.If)]
    imports = [n for b in blocks for n in b.body if isinstance(n, ast.ImportFrom)]
    return {(a.asname or a.name, str(n.module)) for n in imports for a in n.names}


def test_import_loads_no_heavy_library() -> None:
    loaded = loaded_after("import voxplain")
    assert "voxplain" in loaded
    assert not loaded & HEAVY


def test_case_room_loads_neither_torch_nor_monai() -> None:
    assert not loaded_after("import voxplain.case") & {"torch", "monai"}


@pytest.mark.parametrize("name", voxplain.__all__)
def test_public_name_resolves(name: str) -> None:
    assert getattr(voxplain, name) is not None
    assert name in dir(voxplain)


def test_public_names_come_from_the_room_that_is_named() -> None:
    for name, room in voxplain._EXPORTS.items():
        assert getattr(voxplain, name) is getattr(importlib.import_module(room), name)


def test_type_checkers_see_the_names_that_exist() -> None:
    assert type_checker_names() == set(voxplain._EXPORTS.items())


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="explain_everything"):
        voxplain.explain_everything  # noqa: B018


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_promises_is_there(room: str) -> None:
    module = importlib.import_module(f"voxplain.{room}")
    assert module.__doc__
    for name in getattr(module, "__all__", []):
        assert hasattr(module, name), f"voxplain.{room}.__all__ names {name!r}, which is not there"


def test_version_is_the_distributions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert voxplain.__version__ == project["version"]


def test_constraints_pin_every_dependency_without_hosts_or_paths() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert not [name for name, version in pins.items() if "+" in version or "/" in name]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(r for e in ("test", "lint", "demo", "dicom") for r in extras[e])]
    pinned = {name.lower().replace("_", "-") for name in pins}
    for requirement in wanted:
        name = requirement.split(">")[0].split("=")[0].strip().lower().replace("_", "-")
        assert name in pinned, f"{requirement} is not pinned in constraints.txt"
