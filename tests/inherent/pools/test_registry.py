"""Texts that name pools."""

from __future__ import annotations

import math

import pytest

from voxplain.errors import InputError
from voxplain.inherent.pools import LogSumExp, Max, TopK, make_pool, pool_names


def test_every_name_makes_a_pool_of_that_name() -> None:
    assert set(pool_names()) == {"mean", "max", "topk", "lse", "softmax", "noisy_or"}
    for name in pool_names():
        assert make_pool(name).name == name
        assert make_pool(f" {name.upper()} ").name == name


def test_parameters_are_read() -> None:
    assert make_pool("topk:share=0.125").share == 0.125
    sharp = make_pool("lse: r = 2 , learned = False")
    assert isinstance(sharp, LogSumExp)
    assert float(sharp.r) == pytest.approx(2) and not sharp.log_r.requires_grad
    assert make_pool("noisy-or").name == "noisy_or"


def test_a_pool_is_given_back() -> None:
    pool = Max()
    assert make_pool(pool) is pool


@pytest.mark.parametrize(("text", "message"), [
    ("topc", "pool 'topc': unknown; did you mean 'topk'"),
    ("", "pool '': unknown"),
    ("topk:shares=1", "pool topk: unknown parameter 'shares'; did you mean 'share'"),
    ("mean:r=1", "pool mean: unknown parameter 'r'; it takes none"),
    ("topk:0.03", "pool topk: found '0.03', expected parameter=value"),
    ("topk:share=much", "found share='much', expected a number"),
    ("topk:share=0", "found share=0.0, expected a number above 0 and up to 1"),
    ("topk:share=1.5", "found share=1.5"),
    ("topk:share=nan", "found share=nan"),
    ("topk:share=true", "found share=True"),
    ("lse:r=-1", "pool lse: found r=-1.0, expected a positive finite number"),
    ("lse:r=inf", "found r=inf"),
    ("lse:learned=2", "found learned=2.0, expected true or false"),
    ("lse:r=1,r=2", "parameter 'r' is given twice"),
])  # fmt: skip
def test_texts_that_cannot_be(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_pool(text)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match=r"pool: found 3, expected a text"):
        make_pool(3)


def test_values_that_cannot_be() -> None:
    with pytest.raises(InputError, match="share='much'"):
        TopK("much")
    with pytest.raises(InputError, match=r"r=nan"):
        LogSumExp(math.nan)
