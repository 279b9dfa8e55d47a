"""The Python files that hold a network's code: changed code is other work."""

from __future__ import annotations

import inspect
import sys
import sysconfig
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

Names = dict[str, Any]  # what a module's code sees: its globals

# told apart by their versions
_BY_VERSION = {"torch", "torchvision", "monai", "numpy", "scipy", "voxplain"}


def source_files(module: nn.Module, source: str) -> list[Path]:
    """Files of the network's classes, of its factory, and of all that these import, libraries left out.

    Args:
        module: the network.
        source: what made it: ``file.py:function`` or ``package.module:function``.
    """
    classes = {type(part) for part in module.modules()}
    direct = [names for found in classes for names in _names(found)]
    held = [names for part in module.modules() for value in vars(part).values() for names in _names(value)]
    files = {file for names in direct if (file := _file(names))}
    todo = [*direct, *held, *_factory(source)]
    seen: set[int] = set()
    while todo:
        names = todo.pop()
        if id(names) in seen:
            continue
        seen.add(id(names))
        file = _file(names)
        if file is not None and not _is_installed(file):
            files.add(file)
            todo += [further for value in list(names.values()) for further in _names(value)]
    return sorted(files)


def _names(thing: Any) -> Iterator[Names]:
    """The globals of the modules where a thing's code stands.

    Functions know their own; sys.modules may hold another file's module under the same name by now.
    """
    if isinstance(thing, ModuleType):
        yield vars(thing)
    elif isinstance(thing, FunctionType):
        yield thing.__globals__
        whole = inspect.unwrap(thing)
        if whole is not thing and isinstance(whole, FunctionType):
            yield whole.__globals__
    elif isinstance(thing, partial | MethodType):
        yield from _names(thing.func if isinstance(thing, partial) else thing.__func__)
    elif isinstance(thing, type):
        for base in thing.__mro__:
            functions = [f for f in vars(base).values() if isinstance(f, FunctionType)]
            own = {id(f.__globals__): f.__globals__ for f in functions}
            yield from own.values() if own else [vars(m) for m in [sys.modules.get(base.__module__)] if m]
    else:
        yield from _names(type(thing))


def _factory(source: str) -> list[Names]:
    place = source.rpartition(":")[0]
    if not place:
        return []
    file = Path(place).resolve() if place.endswith(".py") else None
    modules = [m for m in list(sys.modules.values()) if isinstance(m, ModuleType)]
    return [vars(m) for m in modules if m.__name__ == place or (file and _file(vars(m)) == file)]


def _file(names: Names) -> Path | None:
    """The module's file, if it is one whose content counts."""
    file = names.get("__file__")
    if not isinstance(file, str) or str(names.get("__name__")).partition(".")[0] in _BY_VERSION:
        return None
    path = Path(file).resolve()
    in_python = path.is_relative_to(_STDLIB) and not _is_installed(path, ("site-packages", "dist-packages"))
    return path if path.is_file() and not in_python else None


_STDLIB = Path(sysconfig.get_path("stdlib")).resolve()


def _is_installed(path: Path, folders: tuple[str, ...] = ("site-packages", "dist-packages")) -> bool:
    return any(folder in path.parts for folder in folders)
