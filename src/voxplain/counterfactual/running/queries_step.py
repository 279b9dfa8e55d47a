"""What the classifier is asked before anything is explained; what was asked is kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from voxplain.counterfactual.direction import Queries
from voxplain.counterfactual.direction.queries import scored
from voxplain.counterfactual.explain import typical_scores
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.measure.pattern import Patterns
from voxplain.counterfactual.running.families.tensors import read_tensors, write_tensors
from voxplain.counterfactual.running.kept_answers import Answers, known_answers
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.counterfactual.running.train_step import TrainedGenerator
from voxplain.errors import InputError, ModelError
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.training.record import digest

_KIND, _BATCH = "queries and patterns", 64


@dataclass(frozen=True, eq=False)
class Asked:
    """What a classifier says of a family of images.

    Attributes:
        queries: codes of samples and of training images, with the logits of their images.
        real: (M,) logits of the training images themselves.
        copies: (M,) those of the generator's copies of them.
        patterns: which voxels go together with the logit, in images, copies and samples.
    """

    queries: Queries
    real: Tensor
    copies: Tensor
    patterns: Patterns

    @cached_property
    def typical(self) -> tuple[float, float]:
        """The median logit of training images of each decision: below 0, above 0."""
        return typical_scores(self.real)

    @property
    def kept(self) -> float:
        """Share of training images whose copies get the same decision."""
        return float(((self.real > 0) == (self.copies > 0)).double().mean())


def asked_of(task: CounterfactualTask, trained: TrainedGenerator, device: torch.device) -> Asked:
    """Ask, or read what was asked before; queries to black boxes can be dear.

    Raises:
        ModelError: the classifier gives probabilities or nothing finite.
        InputError: it decides all training images alike.
    """
    stored = stored_queries(task, trained)
    if stored is not None:
        queries = Queries(stored["codes"].to(device), stored["scores"].to(device))
        return Asked(queries, stored["real"], stored["copies"], Patterns.read(stored))
    kind = f"{_KIND} {queries_key(task, trained)}"
    with Answers(task.places.answers, kind, task.asked.decision.classifier) as answers:
        found = _ask(task, trained.generator, answers, device)
    write_tensors(
        task.places.queries, kind,
        {"codes": found.queries.codes, "scores": found.queries.scores, "real": found.real, "copies": found.copies,
         **found.patterns.tensors()},
    )  # fmt: skip
    answers.forget()
    return found


def answered(task: CounterfactualTask, trained: TrainedGenerator) -> int | None:
    """How many answers are kept of a run that was cut off; None where all are."""
    if stored_queries(task, trained) is not None:
        return None
    return len(known_answers(task.places.answers, f"{_KIND} {queries_key(task, trained)}"))


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
    return digest([trained.weights, task.who, list(task.asked.names), told.samples, told.images, told.seed])


def asked_images(task: CounterfactualTask) -> list[int]:
    """Indices of the training images that the classifier is asked about; their codes are the last of the queries'."""
    told = task.settings.direction
    drawn = np.random.default_rng([told.seed, 0xA5C]).permutation(task.split.train)[: told.images]
    return [int(i) for i in drawn]


def _ask(task: CounterfactualTask, generator: Generator, answers: Answers, device: torch.device) -> Asked:
    """Images and their copies batch by batch, then samples: always in one order, so that answers can be kept."""
    told, decision = task.settings.direction, task.asked.decision
    images, chosen = Images(task.samples, task.preparation, 0.0), asked_images(task)
    patterns = Patterns.empty(task.shape)
    outputs, codes, real, copied = [], [], [], []

    def score(batch: Tensor) -> Tensor:
        return scored(lambda x: decision.of(answers(x), len(x)), batch)

    with torch.no_grad():
        for start in range(0, len(chosen), _BATCH):
            batch = torch.stack([images[i] for i in chosen[start : start + _BATCH]]).to(device)
            outputs.append(answers(batch))
            real.append(scored(lambda x: decision.of(outputs[-1], len(x)), batch))
            codes.append(generator.encode(batch))
            copies = generator.decode(codes[-1])
            copied.append(score(copies))
            patterns.pair(batch, real[-1], copies, copied[-1])
        _refuse_probabilities(torch.cat(outputs))
        drawn = generator.sample(told.samples, seed=told.seed).to(device) if told.samples else codes[0][:0]
        answered = []
        for part in torch.split(drawn, _BATCH) if len(drawn) else ():
            made = generator.decode(part)
            answered.append(score(made))
            patterns.samples.add(made, answered[-1])
    scores = torch.cat([*answered, *copied]).to(drawn.dtype)
    return Asked(
        Queries(torch.cat([drawn, *codes]), scores), torch.cat(real).cpu(), torch.cat(copied).cpu(), patterns
    )


def _refuse_probabilities(outputs: Tensor) -> None:
    if bool(((outputs >= 0) & (outputs <= 1)).all()) and len(outputs) > 1:
        raise ModelError(
            f"classifier: gives numbers between 0 and 1 alone for {len(outputs)} images, which look like probabilities, "
            "expected logits; leave out its sigmoid or softmax, which hides how far an image is from the other class"
        )
