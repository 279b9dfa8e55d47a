"""Checkpoints that are whole or not there, whenever the process is killed.

A checkpoint is a folder that appears at once, and one small file says which is the last: replacing that file is the only
moment at which anything changes. Weights are safetensors; the optimiser's state is read with ``weights_only=True``, so
nothing that is loaded can run code.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from voxplain.case.atomic import whole, write_whole
from voxplain.errors import InputError

_POINTER, _FOLDER = "last.json", "checkpoints"
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """Where a training was.

    Args:
        folder: holds all of it.
        progress: JSON-able facts: epoch, batch, step, best, history.
    """

    folder: Path
    progress: dict[str, Any]

    def load(self, name: str, module: nn.Module) -> None:
        """Put stored weights into a module, in place.

        Raises:
            InputError: they are damaged or of another network.
        """
        load_weights(self.folder / f"{name}.safetensors", module)

    def state(self) -> dict[str, Any]:
        """Of the optimiser and what else is made of tensors, on the CPU."""
        path = self.folder / "optimiser.pt"
        try:
            found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise InputError(f"{path}: cannot be read ({_line(error)}); remove it to start again") from error
        return found


class Checkpoints:
    """The checkpoints of one training: the last one and the best one stay.

    Args:
        out: the training's folder.
    """

    def __init__(self, out: Path) -> None:
        self.out, self.folder = out, out / _FOLDER

    def last(self) -> Checkpoint | None:
        """The last one that was finished, if any.

        Raises:
            InputError: what it names is damaged.
        """
        pointer = self.out / _POINTER
        if not pointer.exists():
            return None
        try:
            folder = self.folder / str(json.loads(pointer.read_text())["folder"])
            return Checkpoint(folder, json.loads((folder / "progress.json").read_text()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{pointer}: is damaged ({_line(error)}); remove {self.out} to start again"
            ) from None

    def save(
        self,
        name: str,
        modules: Mapping[str, nn.Module],
        state: Mapping[str, Any],
        progress: Mapping[str, Any],
    ) -> None:
        """Store a checkpoint and make it the last one; earlier ones go, except for ``progress["best"]["folder"]``."""
        folder = self.folder / name
        if (
            not folder.exists()
        ):  # a run that was killed between folder and pointer has made the same one already
            with whole(folder, folder=True, parents=True) as temporary:
                for kind, module in modules.items():
                    save_model(module, str(temporary / f"{kind}.safetensors"))
                torch.save(dict(state), temporary / "optimiser.pt")
                (temporary / "progress.json").write_text(json.dumps(progress))
        write_whole(self.out / _POINTER, json.dumps({"folder": name}).encode())
        best = (progress.get("best") or {}).get("folder")
        self._clean({name, best})

    def _clean(self, kept: set[str | None]) -> None:
        """Also what a killed run has left half written."""
        for path in self.folder.iterdir():
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)


def load_weights(path: Path, module: nn.Module) -> None:
    """Put a safetensors file into a module, in place.

    Raises:
        InputError: it is damaged or of another network.
    """
    try:
        load_model(module, str(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(f"{path}: does not fit the network: {_line(error)}") from None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
