"""Pools by name, and the text that names one with its parameters: ``topk:share=0.03``."""

from __future__ import annotations

import inspect

from voxplain.errors import InputError, suggest
from voxplain.inherent.pools.base import Pool
from voxplain.inherent.pools.linear import Max, Mean, TopK
from voxplain.inherent.pools.noisy_or import NoisyOr
from voxplain.inherent.pools.smooth import LogSumExp, SoftmaxWeighted

POOLS: dict[str, type[Pool]] = {p.name: p for p in (Mean, Max, TopK, LogSumExp, SoftmaxWeighted, NoisyOr)}


def pool_names() -> tuple[str, ...]:
    """Names that `make_pool` knows."""
    return tuple(POOLS)


def make_pool(pool: Pool | str) -> Pool:
    """A pool from a text ``name`` or ``name:parameter=value,…``; a pool is given back as it is.

    Raises:
        InputError: an unknown pool or parameter (the closest are suggested), or a value that it does not take.

    >>> make_pool("topk:share=0.1"), make_pool("lse:r=2,learned=false")
    (TopK(share=0.1), LogSumExp(r=2, learned=False))
    """
    if isinstance(pool, Pool):
        return pool
    if not isinstance(pool, str):
        raise InputError(f"pool: found {pool!r}, expected a text such as 'topk:share=0.03' or a Pool")
    name, _, given = pool.partition(":")
    key = name.strip().lower().replace("-", "_")
    if key not in POOLS:
        raise InputError(f"pool {name.strip()!r}: unknown; {suggest(key, POOLS)}")
    return POOLS[key](**_parameters(key, given))


def _parameters(name: str, text: str) -> dict[str, float | bool]:
    known = [p for p in inspect.signature(POOLS[name]).parameters if p not in ("args", "kwargs")]
    found: dict[str, float | bool] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        key, equals, value = (s.strip() for s in part.partition("="))
        if not equals:
            raise InputError(f"pool {name}: found {part!r}, expected parameter=value")
        if key not in known:
            raise InputError(
                f"pool {name}: unknown parameter {key!r}; {suggest(key, known) if known else 'it takes none'}"
            )
        if key in found:
            raise InputError(f"pool {name}: parameter {key!r} is given twice")
        found[key] = _value(name, key, value)
    return found


def _value(name: str, key: str, text: str) -> float | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"pool {name}: found {key}={text!r}, expected a number or true or false") from error
