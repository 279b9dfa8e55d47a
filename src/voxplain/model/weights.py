"""Reading state dicts, and fitting them to a network."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from voxplain.errors import ModelError
from voxplain.model.checks import first_line

NESTINGS = ("state_dict", "model_state_dict", "network_weights", "model", "network", "net", "weights")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")


def load_weights(module: nn.Module, path: Path, trust_code: bool = False) -> None:
    """Put the weights of a file into the network, all or none.

    Raises:
        ModelError: see `read_weights`; or weights of another network.
    """
    fit(module, read_weights(path, trust_code), f"weights {path}")


def fit(module: nn.Module, weights: dict[str, Any], where: str) -> None:
    """Put weights into the network, all or none.

    Args:
        module: the network.
        weights: its state dict, under whatever wrapper's prefix.
        where: they come from, for messages.

    Raises:
        ModelError: weights of another network.
    """
    wanted = module.state_dict()
    fitting = _without_prefix(weights, wanted)
    complaint = _difference(fitting, wanted)
    if complaint:
        raise ModelError(f"{where}: they do not fit {type(module).__name__}: {complaint}")
    module.load_state_dict(fitting)


def read_weights(path: Path, trust_code: bool = False) -> dict[str, Any]:
    """The state dict in a PyTorch or safetensors file, on the CPU, without running any code of the file.

    Args:
        path: the file.
        trust_code: unpickle it, whatever it does.

    Raises:
        ModelError: missing, unreadable, pickled objects, or no state dict inside.
    """
    if not path.is_file():
        raise ModelError(f"weights: no file {path}")
    raw = _safetensors(path) if path.suffix == ".safetensors" else _torch(path, trust_code)
    if isinstance(raw, nn.Module):
        return dict(raw.state_dict())
    found = _unwrap(raw)
    if found is None:
        keys = f"with the keys {list(map(str, raw))[:6]}" if isinstance(raw, Mapping) else ""
        raise ModelError(
            f"weights {path}: found {type(raw).__name__} {keys} without a state dict; save net.state_dict()"
        )
    return found


def _safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"weights {path}: not a whole safetensors file ({first_line(error)})") from error


def _torch(path: Path, trust_code: bool) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=not trust_code)
    except pickle.UnpicklingError as error:
        if "Weights only" not in str(error) and "weights_only" not in str(error):
            raise ModelError(f"weights {path}: not a PyTorch file ({first_line(error)})") from error
        raise ModelError(
            f"weights {path}: it holds {culprit(str(error))}, and unpickling would run the file's code; "
            "save net.state_dict() instead, or pass trust_code=True (--set model.trust_code=true) "
            "if you trust who made the file"
        ) from error
    except Exception as error:
        raise ModelError(f"weights {path}: not a readable PyTorch file ({first_line(error)})") from error


def culprit(message: str) -> str:
    """The Python name that the unpickler refused."""
    for mark in ("GLOBAL ", "Unsupported class ", "Unsupported operand "):
        _, found, rest = message.partition(mark)
        if found:
            return f"pickled Python objects ({rest.split()[0].strip('`.,')})"
    return "pickled Python objects"


def _unwrap(raw: Any) -> dict[str, Any] | None:
    if not isinstance(raw, Mapping):
        return None
    for name in NESTINGS:
        if isinstance(raw.get(name), (Mapping, nn.Module)):
            inner = raw[name]
            return dict(inner.state_dict()) if isinstance(inner, nn.Module) else _unwrap(inner)
    weights = {str(k): v for k, v in raw.items() if isinstance(v, Tensor) or str(k).endswith("_extra_state")}
    if weights:
        return weights
    inner_maps = [v for v in raw.values() if isinstance(v, Mapping) and v]
    return _unwrap(inner_maps[0]) if len(inner_maps) == 1 else None


def _without_prefix(weights: dict[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The weights without a wrapper's prefix, if the keys match then; else as they are."""
    seen, queue = {""}, [""]
    while queue:
        prefix = queue.pop(0)
        inner = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
        if set(inner) == set(wanted):
            return inner
        for more in PREFIXES:
            longer = prefix + more
            if longer not in seen and len(seen) < 64 and any(k.startswith(longer) for k in weights):
                seen.add(longer)
                queue.append(longer)
    return weights


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What does not fit, in one line, or ""."""
    missing = [k for k in wanted if k not in found]
    extra = [k for k in found if k not in wanted]
    shapes = [
        f"{k}: file {tuple(found[k].shape)}, network {tuple(v.shape)}"
        for k, v in wanted.items()
        if isinstance(v, Tensor)
        and not isinstance(v, (UninitializedParameter, UninitializedBuffer))
        and isinstance(found.get(k), Tensor)
        and tuple(v.shape) != tuple(found[k].shape)
    ]
    parts = []
    for entries, what in (
        (missing, f"of {len(wanted)} missing in the file"),
        (extra, f"of {len(found)} in the file unknown to the network"),
        (shapes, "of another shape"),
    ):
        if entries:
            more = ", …" if len(entries) > 3 else ""
            parts.append(f"{len(entries)} {what} ({', '.join(entries[:3])}{more})")
    return "; ".join(parts)
