"""Settings of results: what they name may have been moved away since, which is that case's trouble alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from voxplain.errors import InputError

Settings = TypeVar("Settings", bound=BaseModel)


def checked(
    kind: type[Settings], given: Mapping[str, Any], file: Path, context: Mapping[str, Any]
) -> Settings:
    """Settings as a run has written them.

    Raises:
        InputError: they are not what a run writes.
    """
    try:
        return kind.model_validate(given, context=dict(context))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{file}: {where}: {first['msg']}; it is not as a run has written it") from None
