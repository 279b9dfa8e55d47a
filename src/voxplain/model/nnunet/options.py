"""What may be chosen about a trained nnU-Net, with nnU-Net's own defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from voxplain.errors import InputError, suggest


@dataclass(frozen=True)
class Options:
    """How the model is asked.

    Args:
        folds: which folds are averaged, such as ``[0, 1]``, ``0`` or ``"all"``; by default all that are there.
        checkpoint: the file of each fold.
        mirroring: average over flipped inputs; by default where training mirrored.
        step_size: how far windows move, as a share of the window, in (0, 1].
        gaussian: weigh windows by a Gaussian about their centres; else all voxels alike.
        trainer: a class of nnU-Net's own that builds the network, instead of the one that trained it.

    Raises:
        InputError: a value that cannot be.
    """

    folds: tuple[str, ...] | None = None
    checkpoint: str = "checkpoint_final.pth"
    mirroring: bool | None = None
    step_size: float = 0.5
    gaussian: bool = True
    trainer: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "folds", _folds(self.folds))
        if not isinstance(self.step_size, (int, float)) or not 0 < self.step_size <= 1:
            raise InputError(f"step_size: found {self.step_size!r}, expected a share of the window in (0, 1]")
        for name in ("mirroring", "gaussian"):
            value = getattr(self, name)
            if not isinstance(value, bool) and not (value is None and name == "mirroring"):
                raise InputError(f"{name}: found {value!r}, expected true or false")
        for name in ("checkpoint", "trainer"):
            value = getattr(self, name)
            if not isinstance(value, str) and not (value is None and name == "trainer"):
                raise InputError(f"{name}: found {value!r}, expected a name")
        if "/" in self.checkpoint or "\\" in self.checkpoint:
            raise InputError(
                f"checkpoint: found {self.checkpoint!r}, expected the name of a file in each fold"
            )

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """Options from names and values.

        Raises:
            InputError: an unknown name, or a value that cannot be.
        """
        known = [f.name for f in fields(cls)]
        for name in given:
            if name not in known:
                near = suggest(name, known)
                listed = "" if near.startswith("known") else f" known: {', '.join(known)}"
                raise InputError(f"arguments of an nnU-Net folder: unknown {name!r}; {near}{listed}")
        return cls(**given)


def _folds(given: Any) -> tuple[str, ...] | None:
    """``0``, ``"0,1"``, ``[0, 1]`` and ``"all"`` as names; none where they are to be found out."""
    if given is None:
        return None
    listed = (
        given.split(",") if isinstance(given, str) else given if isinstance(given, (list, tuple)) else [given]
    )
    names = [str(fold).strip().removeprefix("fold_") for fold in listed]
    bad = any(isinstance(fold, (bool, float)) for fold in listed) or not names or len(set(names)) < len(names)
    if bad or not all(name == "all" or name.isdecimal() for name in names):
        raise InputError(f"folds: found {given!r}, expected different folds such as 0, [0, 1] or 'all'")
    return tuple(names)
