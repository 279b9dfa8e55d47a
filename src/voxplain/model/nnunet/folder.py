"""Finding the trained model in the folder that was named, and its folds."""

from __future__ import annotations

import re
from pathlib import Path

from voxplain.errors import ModelError

PLANS, DATASET = "plans.json", "dataset.json"
_FOLD = re.compile(r"fold_([0-9]+|all)")


def looks_like(path: Path) -> bool:
    """Whether a folder is, holds or belongs to a trained nnU-Net, whole or not."""
    if not path.is_dir() or (path / "configs").is_dir():
        return False
    return (
        (path / PLANS).is_file()
        or _is_fold(path)
        or any(map(_is_fold, _folders(path)))
        or bool(_inside(path))
    )


def find(path: Path) -> tuple[Path, str | None]:
    """The folder with plans.json and dataset.json, and the fold where one of its folds was named.

    Args:
        path: that folder, one of its ``fold_X`` folders, or a dataset's folder that holds exactly one such folder.

    Raises:
        ModelError: no such folder, or several.
    """
    if _is_fold(path) and not (path / PLANS).is_file():
        fold = _named(path)
        return _whole(fold.parent), fold.name.removeprefix("fold_")
    if (path / PLANS).is_file() or any(map(_is_fold, _folders(path))):
        return _whole(path), None
    inside = _inside(path)
    if len(inside) == 1:
        return _whole(inside[0]), None
    names = ", ".join(p.name for p in inside)
    raise ModelError(f"nnU-Net folder {path}: found {len(inside)} trained models ({names}); name one of them")


def files(path: Path) -> list[Path]:
    """The files that say how the network is built and fed, beside its weights."""
    if not looks_like(path):
        return []
    folder, _ = find(path)
    return [folder / PLANS, folder / DATASET]


def folds(folder: Path, checkpoint: str) -> list[str]:
    """The folds that nnU-Net finds: all with this checkpoint but ``fold_all``, which counts where it is alone.

    Raises:
        ModelError: none has it.
    """
    with_it = [
        p.name.removeprefix("fold_") for p in _folders(folder) if (p / checkpoint).is_file() and _is_fold(p)
    ]
    found = [f for f in with_it if f != "all"] or with_it
    if not found:
        raise ModelError(f"nnU-Net folder {folder}: no fold has {checkpoint}; {_there(folder)}")
    return found


def checkpoint_of(folder: Path, fold: str, checkpoint: str) -> Path:
    """A fold's file of weights.

    Raises:
        ModelError: no such fold or file.
    """
    file = folder / f"fold_{fold}" / checkpoint
    if not file.is_file():
        what = f"fold {fold}" if not file.parent.is_dir() else f"{checkpoint} in fold {fold}"
        raise ModelError(f"nnU-Net folder {folder}: no {what}; {_there(folder)}")
    return file


def _there(folder: Path) -> str:
    lines = [
        f"{fold.name}: {', '.join(sorted(p.name for p in fold.glob('*.pth'))) or 'no checkpoint'}"
        for fold in _folders(folder)
        if _is_fold(fold)
    ]
    return f"found {'; '.join(lines)}" if lines else "there is no fold_0, … in it"


def _whole(folder: Path) -> Path:
    for name in (PLANS, DATASET):
        if not (folder / name).is_file():
            raise ModelError(
                f"nnU-Net folder {folder}: no {name}; copy it from where the model was trained "
                "(…/nnUNet_results/Dataset…/trainer__plans__configuration)"
            )
    return folder


def _is_fold(path: Path) -> bool:
    return _FOLD.fullmatch(_named(path).name) is not None and path.is_dir()


def _named(path: Path) -> Path:
    """A path whose last part is a name; a link keeps its own, whatever it points to."""
    return path.resolve() if path.name in {"", ".", ".."} else path


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir())


def _inside(path: Path) -> list[Path]:
    return [p for p in _folders(path) if (p / PLANS).is_file() and (p / DATASET).is_file()]
