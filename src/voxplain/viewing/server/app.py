"""The application: a page, its script, and what the script asks for. Nothing that is asked for names a file."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from voxplain.errors import InputError, VoxplainError
from voxplain.viewing.server.answers import Answers
from voxplain.viewing.server.files import page, script, solid, style
from voxplain.viewing.server.guard import Gate, Guard, TooLargeError, too_large
from voxplain.viewing.server.plain import VOLUME_HEADER, SentError, ascii_json, sent_json
from voxplain.viewing.server.session import Session
from voxplain.viewing.server.writing import Writing
from voxplain.viewing.volumes import Volume

Answer = Callable[[Request], Awaitable[Response]]


def make_app(session: Session, gate: Gate) -> ASGIApp:
    """The whole application, with its guard around it."""
    answers, writing = Answers(session), Writing(session)

    def json_of(make: Callable[[Request], Any]) -> Answer:
        async def answer(request: Request) -> Response:
            return _json(await run_in_threadpool(make, request))

        return answer

    def volume_of(make: Callable[[Request], Volume]) -> Answer:
        async def answer(request: Request) -> Response:
            return _volume(await run_in_threadpool(make, request))

        return answer

    async def write(request: Request) -> Response:
        sent = await sent_json(request)
        return _json(await run_in_threadpool(writing.add, request.path_params["item"], sent))

    async def table(request: Request) -> Response:
        text = await run_in_threadpool(answers.csv, request)
        headers = {"content-disposition": 'attachment; filename="notes.csv"'}
        return Response("\ufeff" + text, media_type="text/csv; charset=utf-8", headers=headers)

    item = "/api/items/{item:int}"
    routes = [
        Route("/", _fixed(page(), "text/html; charset=utf-8")),
        Route("/served.js", _fixed(script(), "text/javascript; charset=utf-8")),
        Route("/solid.js", _fixed(solid(), "text/javascript; charset=utf-8")),
        Route("/served.css", _fixed(style(), "text/css; charset=utf-8")),
        Route("/api/study", json_of(answers.study)),
        Route("/api/figures", json_of(answers.figures)),
        Route("/api/progress", json_of(answers.progress)),
        Route(item, json_of(answers.item)),
        Route(f"{item}/image", volume_of(answers.image)),
        Route(f"{item}/labels/{{layer:int}}", volume_of(answers.labels)),
        Route(f"{item}/maps/{{target:int}}/{{method:int}}", volume_of(answers.map)),
        Route(f"{item}/notes", json_of(answers.notes), methods=["GET"]),
        Route(f"{item}/notes", write, methods=["POST"]),
        Route("/notes.csv", table),
    ]
    refusing: Any = {
        HTTPException: _refused,
        ClientDisconnect: lambda request, error: Response(status_code=400),  # nobody is there to read it
        TooLargeError: lambda request, error: too_large(),
        InputError: lambda request, error: _told(session, error, 400),
        VoxplainError: lambda request, error: _told(session, error, 500),
        Exception: lambda request, error: PlainTextResponse(
            "Something went wrong; the terminal says what.", 500
        ),
    }
    return Guard(Starlette(routes=routes, exception_handlers=refusing), gate)


def _fixed(text: str, kind: str) -> Answer:
    async def answer(request: Request) -> Response:
        del request
        return Response(text, media_type=kind)

    return answer


def _json(found: Any) -> Response:
    return JSONResponse(found)


def _volume(volume: Volume) -> Response:
    """All bytes as they are: on the way from this machine to itself, packing them takes longer than sending them."""
    headers = {"content-length": str(volume.size), VOLUME_HEADER: ascii_json(volume.told)}
    return StreamingResponse(volume.pieces(), media_type="application/octet-stream", headers=headers)


async def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)
    return PlainTextResponse(error.detail, error.status_code)


def _told(session: Session, error: Exception, status: int) -> Response:
    """The one line of an error; of a blinded study's files it could tell a method's name."""
    if session.blinding is not None and not isinstance(error, SentError):
        print(f"voxplain: {error}", file=sys.stderr, flush=True)
        return PlainTextResponse("This cannot be shown; the terminal says why.", status)
    return PlainTextResponse(str(error), status)
