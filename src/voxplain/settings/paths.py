"""Paths in settings made absolute, so that a settings file means the same from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def anchored_path(path: Any, base: Path) -> Any:
    """A path made absolute against ``base``; anything but text and paths as it is."""
    return str(at(path, base)) if isinstance(path, str | Path) and str(path) else path


def at(path: str | Path, base: Path) -> Path:
    """A path made absolute against ``base``; ``~`` is the home folder."""
    expanded = Path(path).expanduser()
    return expanded if expanded.is_absolute() else (base / expanded)


def anchored_source(text: Any, base: Path) -> Any:
    """A model's source with its file made absolute; ``package.module:function`` stays as it is."""
    if not isinstance(text, str | Path):
        return text
    if str(text).casefold().startswith(("http://", "https://")):
        return str(text)
    path, colon, function = str(text).rpartition(":")
    if colon and path.endswith(".py"):
        return f"{anchored_path(path, base)}:{function}"
    if at(str(text), base).exists() or (not colon and _looks_like_a_path(str(text))):
        return anchored_path(str(text), base)
    return str(text)


def _looks_like_a_path(text: str) -> bool:
    return (
        "/" in text
        or "\\" in text
        or Path(text).suffix.lower() in {".pt", ".pt2", ".pth", ".ts", ".jit", ".py", ".onnx"}
    )
