"""A real HTTP server in a thread that answers for a classifier, and misbehaves when told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from voxplain.counterfactual.classifier.endpoint import unpacked

Answer = tuple[int, bytes]


class Served:
    """What a server has seen, and what it does next.

    Attributes:
        url: of it.
        asked: images so far.
        sizes: images per request.
        ahead: answers that are given instead of the next ones; a number is seconds of silence.
        most: images, after which it answers with status 500; None never.
    """

    def __init__(self) -> None:
        self.url, self.asked, self.sizes = "", 0, list[int]()
        self.ahead: list[Answer | float] = []
        self.most: int | None = None


@contextmanager
def served(predict: Callable[[np.ndarray], Any]) -> Iterator[Served]:
    """Serve a function of images (N, C, *S) while the context lasts."""
    state = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            images = unpacked(told)
            step = state.ahead.pop(0) if state.ahead else None
            if isinstance(step, float):
                time.sleep(step)
                step = None
            if step is None and state.most is not None and state.asked + len(images) > state.most:
                step = 500, b"gone"
            if step is None:
                state.asked += len(images)
                state.sizes.append(len(images))
                step = 200, json.dumps({"logits": np.asarray(predict(images)).tolist()}).encode()
            status, content = step
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                pass  # nobody waits any more

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/predict"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
