"""Requests to an ASGI application in this process, byte by byte as they are given: no path is tidied up, no header added."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

PIECE = 10_000


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        assert self.status == 200, self.text
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """A browser; `headers` go with every request."""

    app: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def get(self, path: str, query: Mapping[str, str] | None = None, **headers: str | None) -> Answered:
        return self.ask("GET", path, query=query, headers=headers)

    def post(self, path: str, sent: object, query: Mapping[str, str] | None = None) -> Answered:
        return self.ask("POST", path, json.dumps(sent).encode(), query, {"content-type": "application/json"})

    def ask(
        self,
        verb: str,
        path: str,
        body: bytes = b"",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answered:
        """Headers that are None are left out; an underscore in a name stands for a hyphen."""
        raw, _, after = path.partition("?")
        own = {k.replace("_", "-"): v for k, v in (headers or {}).items()}
        if body and "content-length" not in own:
            own["content-length"] = str(len(body))
        sent = {k: v for k, v in {**self.headers, **own}.items() if v is not None}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": verb, "scheme": "http",
            "path": unquote(raw), "raw_path": raw.encode(), "root_path": "",
            "query_string": (urlencode(query) if query else after).encode(),
            "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in sent.items()],
            "server": ("127.0.0.1", 1), "client": ("127.0.0.1", 2),
        }  # fmt: skip
        return asyncio.run(self._asked(scope, body))

    async def _asked(self, scope: dict[str, Any], body: bytes) -> Answered:
        pieces = [body[n : n + PIECE] for n in range(0, len(body), PIECE)] or [b""]
        found: list[dict[str, Any]] = []
        left = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if not pieces:
                await left.wait()  # the browser stays until it has its answer
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message: dict[str, Any]) -> None:
            found.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                left.set()

        try:
            await self.app(scope, receive, send)
        except Exception:
            if not found:  # Starlette answers first, then raises for the server's log
                raise
        start = next(m for m in found if m["type"] == "http.response.start")
        headers = {k.decode().lower(): v.decode("latin-1") for k, v in start["headers"]}
        whole = b"".join(m.get("body", b"") for m in found if m["type"] == "http.response.body")
        return Answered(start["status"], headers, whole)
