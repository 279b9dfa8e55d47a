"""Files of tensors that say what they are of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from voxplain.errors import InputError


def write_tensors(path: Path, kind: str, tensors: Mapping[str, Tensor]) -> None:
    """Write as safetensors, whole or not at all."""
    from safetensors.torch import save_file

    from voxplain.case.atomic import whole

    with whole(path, parents=True) as temporary:
        stored = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        save_file(stored, temporary, metadata={"kind": kind})


def read_tensors(path: Path, kind: str) -> dict[str, Tensor]:
    """What `write_tensors` wrote.

    Raises:
        InputError: no such file, or one of another kind.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            found = (file.metadata() or {}).get("kind", "something else")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())[:120]})") from None
    if found != kind:
        raise InputError(f"{path}: found {found}, expected {kind}")
    return tensors
