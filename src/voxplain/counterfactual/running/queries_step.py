"""What the classifier is asked before anything is explained, and the direction that follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from voxplain.counterfactual.classifier.key import decision_key
from voxplain.counterfactual.direction import (
    Direction,
    Queries,
    ask,
    label_direction,
    latent_gradient,
    local_direction,
    ridge_direction,
)
from voxplain.counterfactual.direction.direction import cosine, direction, random_direction
from voxplain.counterfactual.direction.queries import Scorer
from voxplain.counterfactual.explain import Way, typical_scores
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.counterfactual.running.confounding import Carried, Known, confounders_of
from voxplain.counterfactual.running.families.tensors import read_tensors, write_tensors
from voxplain.counterfactual.running.task import Classifier, CounterfactualTask
from voxplain.counterfactual.running.train_step import TrainedGenerator
from voxplain.errors import InputError, ModelError
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.training.record import digest

_KIND = "queries"


@dataclass(frozen=True, eq=False)
class Asked:
    """What a classifier says of a family of images.

    Attributes:
        queries: codes of samples and of training images, with the logits of their images.
        real: (M,) logits of the training images themselves.
        copies: (M,) those of the generator's copies of them.
    """

    queries: Queries
    real: Tensor
    copies: Tensor

    @cached_property
    def typical(self) -> tuple[float, float]:
        """The median logit of training images of each decision: below 0, above 0."""
        return typical_scores(self.real)

    @property
    def kept(self) -> float:
        """Share of training images whose copies get the same decision."""
        return float(((self.real > 0) == (self.copies > 0)).double().mean())


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


def asked_of(task: CounterfactualTask, trained: TrainedGenerator, device: torch.device) -> Asked:
    """Ask, or read what was asked before; queries to black boxes can be dear.

    Raises:
        ModelError: the classifier gives probabilities or nothing finite.
        InputError: it decides all training images alike.
    """
    stored = stored_queries(task, trained)
    if stored is not None:
        queries = Queries(stored["codes"].to(device), stored["scores"].to(device))
        return Asked(queries, stored["real"], stored["copies"])
    found = _ask(task, trained.generator, device)
    write_tensors(
        task.places.queries, f"{_KIND} {queries_key(task, trained)}",
        {"codes": found.queries.codes, "scores": found.queries.scores, "real": found.real,
                                 "copies": found.copies},
    )  # fmt: skip
    return found


def stored_queries(task: CounterfactualTask, trained: TrainedGenerator) -> dict[str, Tensor] | None:
    """What was asked before with these settings; None where it is still to be asked."""
    if not task.places.queries.exists():
        return None
    try:
        return read_tensors(task.places.queries, f"{_KIND} {queries_key(task, trained)}")
    except InputError:
        return None  # of other settings


def queries_key(task: CounterfactualTask, trained: TrainedGenerator) -> str:
    """Of what decides the answers."""
    told = task.settings.direction
    asked = task.settings.classifier
    assert asked is not None
    image = torch.zeros(task.shape)
    who = decision_key(asked, task.asked.decision, image)
    return digest([trained.weights, who, list(task.asked.names), told.samples, told.images, told.seed])


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


def asked_images(task: CounterfactualTask) -> list[int]:
    """Indices of the training images that the classifier is asked about; their codes are the last of the queries'."""
    told = task.settings.direction
    drawn = np.random.default_rng([told.seed, 0xA5C]).permutation(task.split.train)[: told.images]
    return [int(i) for i in drawn]


def _ask(task: CounterfactualTask, generator: Generator, device: torch.device) -> Asked:
    told, who = task.settings.direction, task.asked
    images = Images(task.samples, task.preparation, 0.0)
    chosen = asked_images(task)
    parts, codes, copies = [], [], []
    for start in range(0, len(chosen), 64):
        batch = torch.stack([images[i] for i in chosen[start : start + 64]]).to(device)
        with torch.no_grad():
            codes.append(generator.encode(batch))
            parts.append(_logits(who, batch))
    encoded = torch.cat(codes)
    of_images = ask(generator, who.decision, encoded)
    copies = [of_images.scores]
    drawn = generator.sample(told.samples, seed=told.seed).to(device) if told.samples else encoded[:0]
    of_samples = ask(generator, who.decision, drawn) if told.samples else Queries(drawn, drawn.new_zeros(0))
    real = torch.cat(parts)
    _refuse_probabilities(real)
    queries = Queries(
        torch.cat([of_samples.codes, encoded]), torch.cat([of_samples.scores, of_images.scores])
    )
    decided = _decided(real, who)
    return Asked(queries, decided.cpu(), torch.cat(copies).cpu())


def _logits(who: Classifier, batch: Tensor) -> Tensor:
    """(N, K) the classifier's own outputs."""
    out: Tensor = who.decision.classifier(batch)
    return out


def _decided(outputs: Tensor, who: Classifier) -> Tensor:
    """(N,) the logit between the two classes, as `Decision` takes it."""
    if outputs.shape[1] == 1:
        return outputs[:, 0]
    return outputs[:, who.decision.diseased] - outputs[:, who.decision.healthy]


def _refuse_probabilities(outputs: Tensor) -> None:
    if bool(((outputs >= 0) & (outputs <= 1)).all()) and len(outputs) > 1:
        raise ModelError(
            f"classifier: gives numbers between 0 and 1 alone for {len(outputs)} images, which look like probabilities, "
            "expected logits; leave out its sigmoid or softmax, which hides how far an image is from the other class"
        )


def _null(generator: Generator, queries: Queries, seed: int) -> Direction:
    """A random direction that at least has the sense in which logits rise, or half of them could not flip anything."""
    statistics = generator.statistics
    found = random_direction(statistics, seed=seed)
    whitened = statistics.whiten(queries.codes)
    along = whitened @ statistics.whiten(found.vector[None] + statistics.mean)[0]
    rises = float(((along - along.mean()) * (queries.scores - queries.scores.mean())).sum())
    return found if rises >= 0 else direction("random", -found.vector, statistics)
