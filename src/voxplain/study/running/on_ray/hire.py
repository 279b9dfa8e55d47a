"""A crew on a Ray cluster, from the settings of a study."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxplain.case.atomic import write_whole
from voxplain.errors import InputError
from voxplain.study.ledger.journal import versions
from voxplain.study.running.on_ray.crew import RayCrew
from voxplain.study.running.on_ray.keeper import Surroundings
from voxplain.study.running.on_ray.session import LOCAL, connected, nodes_of, started
from voxplain.study.running.on_ray.slots import Slots, on_cluster, on_this_machine

if TYPE_CHECKING:
    from voxplain.study.settings.study_config import StudySettings


@contextmanager
def hired(settings: StudySettings, plain: dict[str, Any], address: str) -> Iterator[RayCrew]:
    """The workers of a study on a cluster.

    Args:
        plain: the settings, as workers are told them.
        address: of the cluster: HOST:PORT, ``auto`` for one that runs on this machine, ``local`` for one of this machine
            alone, which is started, and ends with this process, however that ends.

    Raises:
        InputError: no such cluster, or no node has what a worker needs.
    """
    logs = settings.out.resolve() / "logs"
    if address == LOCAL:
        slots = on_this_machine(settings.run)
        _check_models(settings, slots)
        with started(slots) as ray, _surroundings(logs) as around:
            yield RayCrew(ray, plain, slots, logs, around)
        return
    with connected(address) as ray:
        slots = on_cluster(settings.run, nodes_of(ray))
        _check_models(settings, slots)
        with _surroundings(logs) as around:
            yield RayCrew(ray, plain, slots, logs, around)


def _check_models(settings: StudySettings, slots: Slots) -> None:
    """A worker has one GPU, by one name, or none."""
    known = {"auto", "cpu"} | ({"cuda", "cuda:0"} if slots.gpus else set())
    for name, model in settings.models.items():
        if model.device not in known:
            raise InputError(
                f"models.{name}.device: found {model.device}, with --ray expected {', '.join(sorted(known))}: "
                "Ray chooses the GPU of a worker, which sees no other"
            )


@contextmanager
def _surroundings(logs: Path) -> Iterator[Surroundings]:
    """What workers must find on their nodes; a file is there as long as they are asked for it."""
    token = secrets.token_hex(16)
    probe = write_whole(logs / f".{token}", token.encode("ascii"))
    try:
        yield Surroundings(str(Path.cwd()), dict(os.environ), str(probe), token, versions())
    finally:
        probe.unlink(missing_ok=True)
