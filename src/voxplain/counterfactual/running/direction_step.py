"""The direction of the settings, found from what the classifier said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from voxplain.counterfactual.direction import (
    Direction,
    Queries,
    label_direction,
    latent_gradient,
    local_direction,
    ridge_direction,
)
from voxplain.counterfactual.direction.direction import cosine, direction, random_direction
from voxplain.counterfactual.direction.queries import Scorer
from voxplain.counterfactual.explain import Way
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.counterfactual.running.confounding import Carried, Known, confounders_of
from voxplain.counterfactual.running.queries_step import Asked, asked_images
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.errors import InputError


@dataclass(frozen=True, eq=False)
class Found:
    """The direction of the settings.

    Attributes:
        way: one for all images, or one for each.
        ridge: the linear model that tells how linear the logit is in the family, whatever the way.
        nulls: random directions, each turned so that logits rise along it over the queries.
        cosine: of the way with ridge; None of ways that differ from image to image.
        carried: what the way, or else ridge, holds of each confounder.
    """

    way: Way
    ridge: Direction
    nulls: tuple[Direction, ...]
    cosine: float | None
    carried: tuple[Carried, ...] = ()


def direction_of(task: CounterfactualTask, generator: Generator, asked: Asked) -> Found:
    """The way of the settings, refused where its checks are low.

    Raises:
        InputError: R² or agreement are below what the settings ask for.
    """
    told, statistics, queries = task.settings.direction, generator.statistics, asked.queries
    least = told.least_r2 if told.kind == "ridge" else -float("inf")
    learned = asked_images(task)
    codes, samples = queries.codes[-len(learned) :], queries.codes[: -len(learned)]
    known = confounders_of(task, generator, learned, codes, samples)
    ridge = ridge_direction(queries, statistics, confounders=known.taken, least_r2=least, seed=told.seed)
    agreement = ridge.facts["agreement"]
    if told.kind == "ridge" and agreement < told.least_agreement:
        raise InputError(
            f"direction 'ridge': with images drawn again it has a cosine of {agreement:.2f} to itself (2.5 % quantile), "
            f"expected at least {told.least_agreement:.2f}; ask more queries (direction.samples, direction.images)"
        )
    nulls = tuple(_null(generator, queries, told.seed + 1 + n) for n in range(told.nulls))
    plain = way_of(told.kind, generator, queries, task.asked.decision, least_r2=told.least_r2)
    if isinstance(plain, Direction):
        after = ridge if told.kind == "ridge" else known.without(plain, statistics)
        way: Way = after
        both = plain, after
    else:
        way = partial(_cleaned, plain, known, statistics)
        both = ridge_direction(queries, statistics, least_r2=least, draws=0), ridge
    same = cosine(way, ridge, statistics) if isinstance(way, Direction) else None
    return Found(way, ridge, nulls, same, known.carried(*both, statistics))


def _cleaned(
    way: Callable[[Tensor], Direction], known: Known, statistics: LatentStatistics, code: Tensor
) -> Direction:
    return known.without(way(code), statistics)


def way_of(
    kind: str,
    generator: Generator,
    queries: Queries,
    scorer: Scorer | None,
    *,
    least_r2: float,
    boundary: float = 0.0,
) -> Way:
    """The way of a kind, with all confounders.

    Args:
        kind: of the settings.
        generator: of the images.
        queries: what was asked.
        scorer: gives gradients; only `gradient` needs one.
        least_r2: below, ridge and local are refused.
        boundary: of labels.
    """
    statistics = generator.statistics
    if kind == "labels":
        return label_direction(queries, statistics, boundary=boundary)
    if kind == "local":
        return lambda code: local_direction(queries, statistics, code, least_r2=least_r2)
    if kind == "gradient" and scorer is not None:
        return lambda code: latent_gradient(generator, scorer, code)
    return ridge_direction(queries, statistics, least_r2=least_r2, draws=0)


def _null(generator: Generator, queries: Queries, seed: int) -> Direction:
    """A random direction that at least has the sense in which logits rise, or half of them could not flip anything."""
    statistics = generator.statistics
    found = random_direction(statistics, seed=seed)
    whitened = statistics.whiten(queries.codes)
    along = whitened @ statistics.whiten(found.vector[None] + statistics.mean)[0]
    rises = float(((along - along.mean()) * (queries.scores - queries.scores.mean())).sum())
    return found if rises >= 0 else direction("random", -found.vector, statistics)
