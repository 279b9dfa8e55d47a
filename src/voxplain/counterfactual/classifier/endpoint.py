"""A classifier behind an HTTP address: images as JSON there, logits as JSON back.

The request is a POST with ``{"shape": [N, C, ...], "dtype": "float32", "data": "…"}``, of which data are the images' bytes
(little-endian, C order) in base64. The answer is ``{"logits": [[…], …]}`` with a row per image and status 200.
"""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import ModelError

SCHEMES = ("http://", "https://")
_BUSY = (429, 502, 503, 504)  # that may be over soon; all others will be the same again
_FIRST, _LONGEST = 0.25, 8.0  # seconds


class Endpoint:
    """Logits from an address.

    Args:
        url: of http or https.
        timeout: seconds until an answer must begin.
        retries: after what may be over soon: no connection, no answer in time, status 429, 502, 503 or 504. Pauses double
            from a quarter of a second.
        wait: sleeps so many seconds.
    """

    def __init__(
        self, url: str, *, timeout: float = 60.0, retries: int = 4, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self.url, self._timeout, self._retries, self._wait = url, timeout, retries, wait

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, C, *S) to (N, K).

        Raises:
            ModelError: no answer after all retries, another status, something else than logits.
        """
        body = json.dumps(packed(images)).encode()
        for attempt in range(self._retries + 1):
            try:
                return self._logits(self._answer(body), len(images))
            except _Soon as error:
                if attempt == self._retries:
                    tried = f" after {attempt + 1} attempts" if attempt else ""
                    raise ModelError(f"classifier.source: {self.url}: {error}{tried}") from None
                self._wait(min(_FIRST * 2**attempt, _LONGEST))
        raise AssertionError("the loop returns or raises")

    def _answer(self, body: bytes) -> bytes:
        request = urllib.request.Request(
            self.url, body, {"Content-Type": "application/json", "Accept": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            said = " ".join(error.read(2000).decode(errors="replace").split())[:200]
            told = f"answers with status {error.code}" + (f" ({said})" if said else "")
            if error.code in _BUSY:
                raise _Soon(told) from None
            raise ModelError(f"classifier.source: {self.url} {told}, expected 200") from None
        except TimeoutError:
            raise _Soon(f"gives no answer within {self._timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise _Soon(f"gives no answer within {self._timeout:g} s") from None
            raise _Soon(
                f"cannot be reached ({' '.join(str(reason).split()) or type(error).__name__})"
            ) from None
        if status != 200:
            raise ModelError(f"classifier.source: {self.url} answers with status {status}, expected 200")
        return bytes(content)

    def _logits(self, content: bytes, count: int) -> NDArray[np.float32]:
        try:
            found: Any = json.loads(content)
        except ValueError:
            said = " ".join(content[:200].decode(errors="replace").split())[:80]
            raise ModelError(f"classifier.source: {self.url} answers {said!r}, expected JSON") from None
        if not isinstance(found, dict) or "logits" not in found:
            keys = ", ".join(map(str, found)) if isinstance(found, dict) else type(found).__name__
            hint = "; log(p) of a softmax's probabilities are some" if "prob" in keys.casefold() else ""
            raise ModelError(
                f"classifier.source: {self.url} answers with {keys or 'nothing'}, expected logits{hint}"
            )
        try:
            logits = np.array(found["logits"], np.float32)
        except (TypeError, ValueError):
            raise ModelError(
                f"classifier.source: {self.url}: logits are no table of numbers, expected {count} rows of as many"
            ) from None
        if logits.ndim != 2 or len(logits) != count or not logits.shape[1]:
            raise ModelError(
                f"classifier.source: {self.url} gives logits of shape {logits.shape} for {count} images, expected "
                f"({count}, K)"
            )
        return logits


class _Soon(Exception):  # noqa: N818  # it is no error yet
    """What may be over at the next attempt."""


def packed(images: NDArray[np.float32]) -> dict[str, Any]:
    """Images (N, C, *S) as JSON-able.

    >>> packed(np.zeros((1, 1, 1, 1), np.float32))
    {'shape': [1, 1, 1, 1], 'dtype': 'float32', 'data': 'AAAAAA=='}
    """
    data = base64.b64encode(np.ascontiguousarray(images, "<f4").tobytes()).decode()
    return {"shape": list(images.shape), "dtype": "float32", "data": data}


def unpacked(told: dict[str, Any]) -> NDArray[np.float32]:
    """What `packed` made, for servers written in Python."""
    return np.frombuffer(base64.b64decode(told["data"]), "<f4").reshape(told["shape"]).astype(np.float32)
