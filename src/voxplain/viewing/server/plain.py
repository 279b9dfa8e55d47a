"""JSON from and to a browser."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from voxplain.errors import InputError

VOLUME_HEADER = "x-voxplain-volume"


class SentError(InputError):
    """Something that a browser sent cannot be used; what it says is about that alone."""


async def sent_json(request: Request) -> dict[str, Any]:
    """The object in a request's body.

    Raises:
        SentError: anything else.
    """
    try:
        found = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise SentError("the body is not JSON") from None
    if not isinstance(found, dict):
        raise SentError("the body is not an object")
    return found


def ascii_json(found: Mapping[str, Any]) -> str:
    """As a header's value."""
    return json.dumps(found, ensure_ascii=True, separators=(",", ":"))


def finite(value: float | None) -> float | None:
    """JSON has no NaN."""
    return None if value is None or not math.isfinite(value) else value
