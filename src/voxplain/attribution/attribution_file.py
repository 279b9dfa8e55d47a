"""Attributions to disk and back, bit for bit, so that maps are judged without being made again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from voxplain.attribution.attribution import Attribution
from voxplain.attribution.stored_maps import StoredMaps
from voxplain.attribution.told import PLAIN, REGIONS, WITH_MAP, Told, answers_of, require_answer, tell
from voxplain.engine import Passes, Problem
from voxplain.engine.tensor_file import TensorFile, write_tensors
from voxplain.errors import InputError

if TYPE_CHECKING:
    from voxplain.attribution.method import Method

KIND = "voxplain attribution"


def write_attribution(path: Path, attribution: Attribution, facts: Mapping[str, str] | None = None) -> Path:
    """Write all maps on the prepared grid, and what is known of them, as one safetensors file, whole or not at all.

    A tensor is named by its target's position; targets that are absent or failed have none. They are written one by
    one, so that no more than one of them is in memory. Of methods that explain by regions the regions' values are
    written, not the regions.

    Args:
        facts: texts of the caller's own, which `stored_facts` gives back.

    Raises:
        StorageError: it cannot be written.
    """
    values = attribution.region_values
    names = [str(t) for t, answer in enumerate(attribution.answers) if answer.status in WITH_MAP]

    def tensor(name: str) -> Tensor:
        if name == REGIONS:
            assert values is not None
            return values
        return attribution.maps[int(name)]

    told = {**(facts or {}), "kind": KIND, "told": tell(attribution)}
    return write_tensors(path, names if values is None else [*names, REGIONS], tensor, told)


def read_attribution(path: Path, problem: Problem, made_by: Method | None = None) -> Attribution:
    """The attribution that was written; maps are read one at a time, when they are asked for, and none is kept.

    Args:
        problem: the one that it answers.
        made_by: the method, for metrics that run it again.

    Returns:
        All that was written; ``regions`` is ``None``.

    Raises:
        InputError: damaged, of another kind, or the answer to another problem.
    """
    file = TensorFile(path)
    if file.facts.get("kind") != KIND:
        raise InputError(f"{path}: is no stored attribution, but another safetensors file")
    try:
        told: Told = json.loads(file.facts["told"])
        require_answer(path, told, file.entries, problem)
        return Attribution(
            problem=problem,
            answers=answers_of(told, problem),
            maps=StoredMaps(file),
            passes=Passes(**told["passes"]),
            region_values=file.read(REGIONS) if REGIONS in file.entries else None,
            made_by=made_by,
            **{name: told[name] for name in PLAIN},
        )
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: is damaged ({type(error).__name__}: {error})") from None


def stored_facts(path: Path) -> dict[str, str]:
    """The texts beside the tensors, the caller's own included; empty where there is no such file, or it is damaged."""
    try:
        return TensorFile(path).facts
    except InputError:
        return {}
