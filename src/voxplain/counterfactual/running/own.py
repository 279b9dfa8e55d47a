"""What one image is explained with: the generator and direction of all, or, where it is tuned, its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from voxplain.counterfactual.direction import ask
from voxplain.counterfactual.direction.direction import cosine
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.running.direction_step import Found, direction_of
from voxplain.counterfactual.running.queries_step import Asked
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.counterfactual.style.generator import StyleGenerator
from voxplain.counterfactual.style.pivot import pivoted


@dataclass(frozen=True, eq=False)
class Own:
    """One image's.

    Attributes:
        generator: the family.
        found: the direction in it.
        facts: of tuning, none without.
    """

    generator: Generator
    found: Found
    facts: Mapping[str, Any] = field(default_factory=dict)


def own_of(task: CounterfactualTask, generator: Generator, asked: Asked, found: Found, x: Tensor) -> Own:
    """Tune the generator to an image (C, *S) where the settings say so, and find the direction anew in what it became.

    The same codes give other images after tuning, so that the classifier is asked about all of them again.

    Raises:
        InputError: R² or agreement of the new direction are too low.
    """
    if not isinstance(generator, StyleGenerator) or not generator.pivot:
        return Own(generator, found)
    with torch.no_grad():
        copy = generator.decode(generator.encode(x[None]))[0]
    tuned = pivoted(generator, x, steps=generator.pivot)
    queries = ask(tuned, task.asked.decision, asked.queries.codes)
    anew = direction_of(task, tuned, replace(asked, queries=queries))
    facts = {
        "pivot": generator.pivot,
        "error of the copy before tuning": float((copy - x).abs().mean()),
        "r2 after tuning": anew.ridge.facts["r2"],
        "cosine with the direction before tuning": cosine(anew.ridge, found.ridge, generator.statistics),
    }
    return Own(tuned, anew, facts)
