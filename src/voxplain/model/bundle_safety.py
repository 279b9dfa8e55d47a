"""Which parts of a MONAI bundle's configuration may be built without running its author's code."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pydoc import locate
from typing import Any

from voxplain.errors import ModelError

_TRUSTED = ("monai.networks.", "monai.transforms.", "torch.nn.")


def check(config: Any, parts: list[str], where: str) -> None:
    """Raise ModelError where a part, or anything that it refers to, is an expression or a foreign class.

    Args:
        config: the whole configuration, references absolute.
        parts: ids such as ``"network_def"`` or ``"preprocessing#transforms#2"``.
        where: the file, for messages.
    """
    seen: set[str] = set()
    queue = list(parts)
    while queue:
        part = queue.pop()
        if part in seen:
            continue
        seen.add(part)
        queue += _inspect(lookup(config, part, where), part, where)


def lookup(config: Any, part: str, where: str) -> Any:
    """The configuration at an id; ``#`` goes down one level."""
    found = config
    for key in part.replace("::", "#").split("#"):
        try:
            found = found[int(key)] if isinstance(found, list) else found[key]
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise ModelError(f"bundle {where}: there is no {part!r}, which another part refers to") from error
    return found


def _inspect(value: Any, part: str, where: str) -> list[str]:
    """Check one value and what it holds; returns the ids that it refers to."""
    if isinstance(value, str):
        if value.startswith("$"):
            raise _refusal(where, part, f"the expression {value[:80]!r}")
        return [value[1:]] if value.startswith("@") else []
    if isinstance(value, list):
        return [ref for i, item in enumerate(value) for ref in _inspect(item, f"{part}#{i}", where)]
    if not isinstance(value, Mapping):
        return []
    if "_target_" in value:
        if not _is_trusted(value["_target_"]):
            raise _refusal(where, f"{part}#_target_", repr(value["_target_"]))
        if str(value.get("_mode_", "default")) != "default":
            raise _refusal(where, f"{part}#_mode_", repr(value["_mode_"]))
    return [ref for key, item in value.items() for ref in _inspect(item, f"{part}#{key}", where)]


def _is_trusted(target: Any) -> bool:
    """Whether a name leads to a class that MONAI's networks or transforms, or torch.nn, define themselves.

    A dotted name alone proves nothing: ``monai.networks.nets.unet.torch.hub.load`` is somebody else's function.
    """
    if not isinstance(target, str):
        return False
    found = (
        locate(target) if target.startswith(_TRUSTED) else None if "." in target else _by_short_name(target)
    )
    return inspect.isclass(found) and f"{found.__module__}.".startswith(_TRUSTED)


def _by_short_name(name: str) -> Any:
    from monai.bundle import ComponentLocator

    modules = ComponentLocator().get_component_module_name(name)
    first = modules[0] if isinstance(modules, list) else modules
    return locate(f"{first}.{name}") if first else None


def _refusal(where: str, part: str, what: str) -> ModelError:
    return ModelError(
        f"bundle {where}: {part} is {what}, which runs code; pass trust_code=True "
        "(--set model.trust_code=true) if you trust who made the bundle"
    )
