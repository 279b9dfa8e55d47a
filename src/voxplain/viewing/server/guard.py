"""Every request passes here first: its host, where it comes from, its token, its size; every answer gets its headers."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 64 * 1024  # of what a browser sends
MOST_DIGITS = 9  # of a number in a header
MOST_PATH = 100  # characters; none of ours has half as many
HEADER = "x-voxplain-token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
READING, WRITING = ("GET", "HEAD"), ("POST",)


@dataclass(frozen=True)
class Gate:
    """Who may come in.

    Attributes:
        port: of this machine's loopback that the server listens at.
        token: a secret of this start; the terminal prints it.
        once: secrets that open the door a single time.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    once: set[str] = field(default_factory=set, repr=False)

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a browser may call this server; another name may be an attacker's that points here (DNS rebinding)."""
        return tuple(f"{name}:{self.port}" for name in ("127.0.0.1", "localhost"))

    @property
    def cookie(self) -> str:
        """Its name: cookies do not keep ports apart, so that it must."""
        return f"voxplain-{self.port}"

    @property
    def address(self) -> str:
        """What the terminal prints."""
        return self._with(self.token)

    def address_once(self) -> str:
        """An address that lets in the first who comes with it.

        For starting a browser: whoever has an account on this machine can read a browser's command line, as long as it runs.
        """
        secret = secrets.token_urlsafe(32)
        self.once.add(secret)
        return self._with(secret)

    def opens(self, given: str) -> bool:
        """Whether an address with this secret lets in; of those that do so once, it is the last time."""
        if self.knows(given):
            return True
        there = given in self.once
        self.once.discard(given)
        return there

    def _with(self, secret: str) -> str:
        return f"http://127.0.0.1:{self.port}/?token={secret}"

    def knows(self, token: str) -> bool:
        """Whether it is the token, in a time that does not depend on how much of it is right."""
        return hmac.compare_digest(token.encode(), self.token.encode())


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app, self.gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        answer = self._refusal(scope) if scope["type"] == "http" else PlainTextResponse("no", 404)
        if answer is None:
            limited = _Limited(receive)
            await self.app(scope, limited, guarded)
            return
        await answer(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """An answer other than what was asked for; none where the request may pass."""
        headers, method = Headers(scope=scope), str(scope["method"])
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self.gate.hosts:
            return _refused("This server answers to 127.0.0.1 and localhost only.", 421)
        if method not in (*READING, *WRITING):
            return _refused("This server takes GET and POST.", 405)
        if len(scope["path"]) > MOST_PATH:
            return _refused("Not Found", 404)
        if (refused := self._foreign(headers, hosts[0].lower(), method)) is not None:
            return refused
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if method == "GET" and scope["path"] == "/" and "token" in query:
            return self._enter(query, headers)
        if not self._is_known(headers):
            return _refused(
                "No token. Open the address that `voxplain view` printed in the terminal; it is another one at each start.",
                403,
            )
        if method in WRITING:
            return _writing(headers)
        return None

    def _foreign(self, headers: Headers, host: str, method: str) -> Response | None:
        """Pages of other places, other ports of this machine among them, may not ask anything."""
        origins, sites = headers.getlist("origin"), headers.getlist("sec-fetch-site")
        if set(origins) - {f"http://{host}"} or (method in WRITING and not origins):
            return _refused("This request comes from another page.", 403)
        if set(sites) - {"same-origin", "none"}:
            return _refused(
                "This link was opened from another page. Copy it into the address bar instead.", 403
            )
        return None

    def _enter(self, query: dict[str, str], headers: Headers) -> Response:
        """The token becomes a cookie, and leaves the address bar and the history."""
        given = query.pop("token")
        if not self.gate.opens(given):
            return _refused("Wrong token: it is another one at each start of `voxplain view`.", 403)
        rest = urlencode(query)
        answer = RedirectResponse("/?" + rest if rest else "/", status_code=303)
        answer.set_cookie(self.gate.cookie, self.gate.token, httponly=True, samesite="strict", path="/")
        return answer

    def _is_known(self, headers: Headers) -> bool:
        given = headers.get(HEADER)
        if given is not None:
            return self.gate.knows(given)
        return any(self.gate.knows(value) for value in _cookies(headers, self.gate.cookie))


class TooLargeError(Exception):
    """More was sent than anybody needs to send."""


class _Limited:
    """A body that ends with an error where it is too large, whatever its header said."""

    def __init__(self, receive: Receive) -> None:
        self.receive, self.read = receive, 0

    async def __call__(self) -> Message:
        message = await self.receive()
        if message["type"] == "http.request":
            self.read += len(message.get("body", b""))
            if self.read > MOST_BYTES:
                raise TooLargeError
        return message


def _cookies(headers: Headers, name: str) -> list[str]:
    """Values of a cookie, of which other servers of this machine may have left more, beside some in no good order."""
    parts = (part.strip().partition("=") for line in headers.getlist("cookie") for part in line.split(";"))
    return [value for found, _, value in parts if found == name]


def _writing(headers: Headers) -> Response | None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return _refused("Writing takes application/json.", 415)
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > MOST_DIGITS or int(length) > MOST_BYTES:
        return too_large()
    return None


def too_large() -> Response:
    """The answer to a body that is too large."""
    return _refused(f"More than {MOST_BYTES // 1024} KB.", 413)


def _refused(text: str, status: int) -> Response:
    return PlainTextResponse(text, status, headers={"connection": "close"} if status == 413 else None)
