"""Reading a fold's checkpoint without running what it may hold."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voxplain.errors import ModelError
from voxplain.model.checks import first_line
from voxplain.model.weights import culprit


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says.

    Attributes:
        weights: of the network.
        trainer: name of the class that trained it.
        configuration: which of the plans' configurations, such as ``"3d_fullres"``.
        mirroring: spatial axes of the prepared image that training flipped.
    """

    weights: dict[str, Tensor]
    trainer: str
    configuration: str
    mirroring: tuple[int, ...]


def read(path: Path, trust_code: bool = False) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Args:
        path: the file.
        trust_code: unpickle it, whatever it does.

    Raises:
        ModelError: no nnU-Net checkpoint, or one that holds more than numbers and text.
    """
    raw = _load(path, trust_code)
    try:
        return Checkpoint(
            weights=dict(raw["network_weights"]),
            trainer=str(raw["trainer_name"]),
            configuration=str(raw["init_args"]["configuration"]),
            mirroring=tuple(int(axis) for axis in raw.get("inference_allowed_mirroring_axes") or ()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        found = ", ".join(map(str, list(raw)[:6])) if isinstance(raw, Mapping) else type(raw).__name__
        raise ModelError(
            f"checkpoint {path}: no checkpoint of nnU-Net v2, which has network_weights, trainer_name and init_args; "
            f"found {found}"
        ) from error


def _load(path: Path, trust_code: bool) -> Any:
    try:
        if trust_code:
            return torch.load(path, map_location="cpu", weights_only=False)
        with torch.serialization.safe_globals(_harmless()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights only" not in str(error).casefold().replace("_", " "):
            raise ModelError(f"checkpoint {path}: not a PyTorch file ({first_line(error)})") from error
        raise ModelError(
            f"checkpoint {path}: it holds {culprit(str(error))}, which nnU-Net's own never do, and unpickling would run "
            "the file's code; pass trust_code=True (--set model.trust_code=true) if you trust who made it"
        ) from error
    except Exception as error:
        raise ModelError(f"checkpoint {path}: not a readable PyTorch file ({first_line(error)})") from error


@cache
def _harmless() -> list[Any]:
    """What nnU-Net's trainers pickle beside tensors: NumPy's numbers in the logs, and the device.

    They make numbers, and run nothing. NumPy 1 and 2 know them by different names.
    """
    from numpy._core import multiarray

    made = [
        (getattr(multiarray, name), f"{module}.multiarray.{name}")
        for name in ("scalar", "_reconstruct")
        for module in ("numpy.core", "numpy._core")
    ]
    kinds = {type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"}
    return [*made, np.ndarray, np.dtype, *kinds, torch.device]
