"""A classifier behind HTTP: a real server, its answers, and every way in which it can fail."""

from __future__ import annotations

import socket

import numpy as np
import pytest
import torch
from logit_server import served

from voxplain.counterfactual.classifier.black_box import BlackBox
from voxplain.counterfactual.classifier.endpoint import Endpoint
from voxplain.errors import ModelError

IMAGES = np.random.default_rng(0).normal(size=(5, 2, 3, 4)).astype(np.float32)


def sums(images):
    return np.stack([images.sum((1, 2, 3)), images[:, 0, 1, 2]], 1)


def test_the_server_sees_the_images_and_batches_are_counted():
    with served(sums) as server:
        box = BlackBox(Endpoint(server.url), batch=2)
        found = box(torch.from_numpy(IMAGES))
        np.testing.assert_allclose(found.numpy(), sums(IMAGES), rtol=1e-5)
        assert server.sizes == [2, 2, 1]
        assert (box.tally.images, box.tally.calls) == (5, 3)


def test_what_may_be_over_soon_is_tried_again_with_longer_pauses():
    pauses = []
    with served(sums) as server:
        server.ahead = [(503, b"warming up"), (429, b""), (502, b"")]
        found = Endpoint(server.url, wait=pauses.append)(IMAGES)
        np.testing.assert_allclose(found, sums(IMAGES), rtol=1e-5)
        assert pauses == [0.25, 0.5, 1.0] and server.sizes == [5]
        server.ahead = [(503, b"warming up")] * 2
        with pytest.raises(
            ModelError, match=r"predict: answers with status 503 \(warming up\) after 2 attempts"
        ):
            Endpoint(server.url, retries=1, wait=pauses.append)(IMAGES)
        server.ahead = [0.5]
        with pytest.raises(ModelError, match=r"gives no answer within 0.1 s$"):
            Endpoint(server.url, timeout=0.1, retries=0)(IMAGES)


def test_nobody_is_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/predict"
        with pytest.raises(ModelError, match=r"cannot be reached \(.*refused\) after 3 attempts"):
            Endpoint(url, retries=2, wait=lambda _: None)(IMAGES)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((404, b"no such route"), r"predict answers with status 404 \(no such route\), expected 200"),
        ((500, b"Traceback: boom"), r"status 500 \(Traceback: boom\), expected 200"),
        ((200, b"<html>hello</html>"), r"answers '<html>hello</html>', expected JSON"),
        ((200, b'{"probabilities": [[0.1, 0.9]]}'), r"answers with probabilities, expected logits"),
        (
            (200, b'{"logits": [[1, 2], [3, 4]]}'),
            r"gives logits of shape \(2, 2\) for 5 images, expected \(5, K\)",
        ),
        ((200, b'{"logits": [1, 2, 3, 4, 5]}'), r"gives logits of shape \(5,\) for 5 images"),
        ((200, b'{"logits": [[1], [2, 3], [4], [5], [6]]}'), r"logits are no table of numbers"),
        (
            (200, b'{"logits": [[NaN], [2], [3], [Infinity], [5]]}'),
            r"gives NaN or infinity for 2 of 5 images",
        ),
    ],
)
def test_an_answer_that_is_no_logits_is_told_at_once(answer, says):
    with served(sums) as server:
        server.ahead = [answer]
        with pytest.raises(ModelError, match=says):
            BlackBox(Endpoint(server.url, wait=lambda _: pytest.fail("tried again")))(
                torch.from_numpy(IMAGES)
            )
