"""How many workers a Ray cluster has room for, and what each takes of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxplain.errors import InputError
from voxplain.study.running.machine import FREE_SHARE, GIB, devices, memory_limit

if TYPE_CHECKING:
    from voxplain.study.settings.study_config import RunSettings

Node = Mapping[str, float]  # what a node has, by Ray's names: CPU, GPU, memory in bytes


@dataclass(frozen=True)
class Slots:
    """Room for workers.

    Attributes:
        devices: of every worker, as it sees it: Ray shows each no GPU but its own.
        cpus: that each takes.
        gpus: that each takes; less than 1 where several share one.
        memory: bytes that each may take; None for no limit.
        cards: the GPUs of this machine that may be used; None on a cluster, where Ray chooses.
    """

    devices: list[str]
    cpus: int
    gpus: float
    memory: int | None
    cards: tuple[int, ...] | None = None


def on_this_machine(run: RunSettings) -> Slots:
    """As many workers as without Ray.

    Raises:
        InputError: devices that Ray cannot share out.
    """
    asked = devices(run)
    gpu = _is_gpu(set(asked))
    cards = tuple(sorted({int(d.partition(":")[2] or 0) for d in asked})) if gpu else ()
    limit = memory_limit(run, asked)
    return Slots(_seen(len(asked), gpu), run.threads, _share(len(asked), len(cards)), limit, cards)


def on_cluster(run: RunSettings, nodes: Iterable[Node]) -> Slots:
    """As many workers as all nodes have room for, or as many as are asked for: those wait that find none.

    Raises:
        InputError: no node has what one worker needs, or devices that Ray cannot share out.
    """
    having = list(nodes)
    gpu = any(_has(n, "GPU") >= 1 for n in having) if "auto" in run.devices else _is_gpu(set(run.devices))
    room = [_room(node, run.threads, gpu) for node in having]
    if not sum(room):
        found = "; ".join(f"{_has(n, 'CPU'):g} CPU, {_has(n, 'GPU'):g} GPU" for n in having[:4])
        needs = f"{run.threads} CPU (run.threads){' and a GPU (run.devices)' * gpu}"
        raise InputError(f"--ray: a worker needs {needs}, no node has that; found {found or 'no node'}")
    count = sum(room) if run.workers == "auto" else run.workers
    cards = math.floor(sum(_has(n, "GPU") for n in having)) if gpu else 0
    shares = [_has(n, "memory") / r for n, r in zip(having, room, strict=True) if r]
    return Slots(_seen(count, gpu), run.threads, _share(count, cards), _memory(run, shares, gpu))


def _memory(run: RunSettings, shares: list[float], gpu: bool) -> int | None:
    """The smallest share that a worker has of its node, or what was asked for."""
    if run.memory == "unlimited" or gpu:
        return None
    if run.memory != "auto":
        return int(run.memory * GIB)
    return int(FREE_SHARE * min(shares)) or None


def _room(node: Node, threads: int, gpu: bool) -> int:
    by_cpu = math.floor(_has(node, "CPU") / threads)
    return min(by_cpu, math.floor(_has(node, "GPU"))) if gpu else by_cpu


def _share(workers: int, cards: int) -> float:
    """GPUs of each worker, such that Ray finds a place for all.

    >>> _share(4, 4), _share(5, 2), _share(3, 0)
    (1.0, 0.3333333333333333, 0.0)
    """
    return 1 / math.ceil(workers / cards) if cards else 0.0


def _seen(workers: int, gpu: bool) -> list[str]:
    return ["cuda:0" if gpu else "cpu"] * workers


def _is_gpu(asked: set[str]) -> bool:
    if asked == {"cpu"}:
        return False
    if all(d.partition(":")[0] == "cuda" for d in asked):
        return True
    raise InputError(f"run.devices: found {', '.join(sorted(asked))}, with --ray expected cpu, or cuda alone")


def _has(node: Node, what: str) -> float:
    return float(node.get(what, 0.0))
