"""Networks compiled by ``torch.jit``; their code is TorchScript, which runs in its own interpreter, not as Python."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from voxplain.errors import ModelError
from voxplain.model.checks import first_line


def load(path: Path, device: torch.device | str = "cpu") -> nn.Module:
    """The network of a TorchScript file, on a device: ``module.to`` would leave a trace's constants.

    Raises:
        ModelError: a broken file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            network: nn.Module = torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"model {path}: not a whole TorchScript file ({first_line(error)})") from error
    return network
