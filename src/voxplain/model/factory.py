"""Networks that a Python function builds."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from voxplain.errors import ModelError, suggest
from voxplain.model.checks import first_line

# names in sys.modules that factory files imported from beside themselves, and the folder of each:
# another folder may have another module of that name
_brought: dict[str, Path] = {}


def build(source: str, arguments: Mapping[str, Any] | None = None) -> nn.Module:
    """The network of ``"file.py:function"`` or ``"package.module:function"``.

    The file runs as a private module; its folder is importable while it runs and while the network is built.

    Args:
        source: what to call; a class or a ready module is fine too.
        arguments: keyword arguments of the call.

    Raises:
        ModelError: no such file, module or function; an exception inside; not a module in return.
    """
    with _importable(_folder(source)):
        made, name = _named(source)
        if not isinstance(made, nn.Module):
            if not callable(made):
                raise ModelError(
                    f"model {source}: {name} is {type(made).__name__}, expected a function or a class"
                )
            try:
                made = made(**(arguments or {}))
            except Exception as error:
                raise ModelError(f"model {source}: {name}() raised {first_line(error)}") from error
    if not isinstance(made, nn.Module):
        raise ModelError(
            f"model {source}: {name}() returned {type(made).__name__}, expected a torch.nn.Module"
        )
    return made


def found_at(source: str) -> Any:
    """What ``"file.py:name"`` or ``"package.module:name"`` is, without calling it.

    Raises:
        ModelError: no such file, module or name; an exception inside.
    """
    with _importable(_folder(source)):
        return _named(source)[0]


def _folder(source: str) -> Path:
    place = source.rpartition(":")[0]
    return Path(place).resolve().parent if place.endswith(".py") else Path.cwd()


def _named(source: str) -> tuple[Any, str]:
    place, _, name = source.rpartition(":")
    module = _from_file(Path(place)) if place.endswith(".py") else _from_package(place)
    return _find(module, name, source), name


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        near = [p.name for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise ModelError(f"model: no file {path}; {suggest(path.name, near)}")
    path = path.resolve()
    private = (
        f"_voxplain_{path.stem}_{hashlib.sha1(str(path).encode(), usedforsecurity=False).hexdigest()[:8]}"
    )
    spec = importlib.util.spec_from_file_location(private, path)
    if spec is None or spec.loader is None:
        raise ModelError(f"model: {path} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[private] = module  # dataclasses and torch.jit look their own module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[private]
        raise ModelError(f"model: importing {path} raised {first_line(error)}") from error
    return module


def _from_package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise ModelError(
                f"model: no module {name!r} (looked in the environment and in the working folder); "
                "for a file write path/to/file.py:function"
            ) from error
        raise ModelError(f"model: importing {name} raised {first_line(error)}") from error
    except Exception as error:
        raise ModelError(f"model: importing {name} raised {first_line(error)}") from error


def _find(module: ModuleType, name: str, source: str) -> Any:
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            known = [n for n, v in vars(found).items() if callable(v) and not n.startswith("_")]
            raise ModelError(f"model {source}: there is no {name!r}; {suggest(name, known)}")
        found = getattr(found, part)
    return found


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    others = {n: sys.modules.pop(n) for n, f in _brought.items() if f != folder and n in sys.modules}
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        for name in set(sys.modules) - before - set(others):
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).resolve().is_relative_to(folder) and not name.startswith("_voxplain_"):
                _brought[name] = folder
        sys.modules.update(others)
