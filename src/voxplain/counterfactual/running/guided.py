"""Explanations by guided denoising: what is asked first, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from voxplain.counterfactual.diffusion import DiffusionGenerator
from voxplain.counterfactual.diffusion.classifier_free import ClassifierFreeExplainer
from voxplain.counterfactual.diffusion.explain import DiffusionExplainer, Mask
from voxplain.counterfactual.diffusion.nulls import LinearGoal, guided_nulls, random_goal
from voxplain.counterfactual.direction.queries import Queries, scored
from voxplain.counterfactual.measure.pattern import Patterns, check_patterns
from voxplain.counterfactual.path import CounterfactualPath
from voxplain.counterfactual.running.conditions import stored_answers
from voxplain.counterfactual.running.families.tensors import read_tensors, write_tensors
from voxplain.counterfactual.running.inquiry import Inquiry
from voxplain.counterfactual.running.nulls import Nulls
from voxplain.counterfactual.running.queries_step import Asked, asked_images, queries_key
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.counterfactual.running.train_step import TrainedGenerator
from voxplain.errors import InputError
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.training.record import digest

COPIED = 32  # training images of which copies are made; each costs as much as a dose
_SCAN = 12


@dataclass(frozen=True, eq=False)
class GuidedAsked(Asked):
    """Answers about training images alone, of which the first have copies."""

    @property
    def kept(self) -> float:
        same = (self.real[: len(self.copies)] > 0) == (self.copies > 0)
        return float(same.double().mean())


class GuidedInquiry(Inquiry):
    """By a classifier's gradient, or by conditions of the denoiser.

    Args:
        task: with its settings.
        trained: the generator's record.
        generator: it.
        device: where it lies.
    """

    found = None

    def __init__(
        self, task: CounterfactualTask, trained: TrainedGenerator, generator: DiffusionGenerator, device: torch.device
    ) -> None:  # fmt: skip
        told, self.generator = task.settings.explain, generator
        self.decision = task.asked.decision
        stored = stored_guided(task, trained)
        if stored is None:
            stored = _ask(task, generator, device)
            write_tensors(task.places.queries, _kind(task, trained), stored)
        real = stored["real"]
        # no family of codes is asked about, so queries have no coordinates
        patterns = Patterns.read(stored)
        check_patterns(patterns, task.settings.direction.least_pattern)
        self.asked = GuidedAsked(Queries(real[:, None][:, :0], real), real, stored["copies"], patterns)
        spread = float(real.std())
        if not spread > 0:
            raise InputError(
                "classifier: gives all training images one logit, expected some that differ; there is no gradient to follow"
            )
        self.goals = [LinearGoal(weights.to(device)) for weights in stored["goals"]]
        self.told = told.guidance == "classifier-free"
        kind = ClassifierFreeExplainer if self.told else DiffusionExplainer
        self.explainer: DiffusionExplainer = kind(
            generator, task.asked.decision, spread, limit=told.limit, scan=scan_of(task), reinject=told.reinject,
            share=told.mask_share, margin=told.mask_margin,
        )  # fmt: skip

    def own(self, x: Tensor) -> GuidedInquiry:
        """That whose copies are of an image of this image's logit, where the denoiser is told it."""
        if not self.told:
            return self
        with torch.no_grad():
            generator = self.explainer.generator.told(scored(self.decision, x[None]))
        other = copy(self)
        other.generator, other.explainer = generator, replace(self.explainer, generator=generator)
        return other

    def explain(self, x: Tensor, target: float, mask: Mask) -> CounterfactualPath:
        return self.explainer.explain(x, target, mask)

    def nulls(self, x: Tensor, path: CounterfactualPath, sign: float) -> Nulls:
        places = path.maps.get("places")
        where = None if places is None else places > 0
        return Nulls(
            *guided_nulls(self.explainer, self.goals, x, dose=path.dose, target=path.target, where=where)
        )


def scan_of(task: CounterfactualTask) -> int:
    """How many doses are tried before bisection.

    Raises:
        InputError: fewer than one.
    """
    found = task.settings.generator.parameters.get("scan", _SCAN)
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise InputError(f"generator.parameters.scan: found {found!r}, expected a number of doses, 1 or more")
    return found


def _kind(task: CounterfactualTask, trained: TrainedGenerator) -> str:
    told = task.settings
    asked = [
        queries_key(task, trained), told.generator.parameters, told.direction.nulls, told.explain.guidance,
    ]  # fmt: skip
    return f"guided, with patterns, {digest(asked)}"


def stored_guided(task: CounterfactualTask, trained: TrainedGenerator) -> dict[str, Tensor] | None:
    """What was asked before with these settings; None where it is still to be asked."""
    if not task.places.queries.exists():
        return None
    try:
        return read_tensors(task.places.queries, _kind(task, trained))
    except InputError:
        return None  # of other settings


def _ask(task: CounterfactualTask, generator: DiffusionGenerator, device: torch.device) -> dict[str, Tensor]:
    told, decision = task.settings.direction, task.asked.decision
    images, chosen = Images(task.samples, task.preparation, 0.0), asked_images(task)
    batch = torch.stack([images[i] for i in chosen]).to(device)
    with torch.no_grad():
        if task.settings.explain.guidance == "classifier-free":
            real = _known(task, chosen).to(device)
            generator = generator.told(real[: len(batch)][:COPIED])
        else:
            real = torch.cat([scored(decision, part) for part in torch.split(batch, 64)])
        made = generator.decode(generator.encode(batch[:COPIED]))
        copies = scored(decision, made)
    answers, patterns = real[: len(batch)], Patterns.empty(task.shape)
    patterns.pair(batch[:COPIED], answers[:COPIED], made, copies)
    patterns.real.add(batch[COPIED:], answers[COPIED:])
    seeds = range(told.seed + 1, told.seed + 1 + told.nulls)
    goals = [random_goal(generator.plausible, batch, answers, seed=seed).weights for seed in seeds]
    # a goal is of what the denoiser sees
    scaled = torch.stack(goals) * generator.denoiser.spread
    return {"real": real.cpu(), "copies": copies.cpu(), "goals": scaled.cpu(), **patterns.tensors()}


def _known(task: CounterfactualTask, first: Sequence[int]) -> Tensor:
    """What was said of all training images when the denoiser was told it; these ones first."""
    others = sorted(set(task.split.train) - set(first))
    return stored_answers(task)[[*first, *others]]
