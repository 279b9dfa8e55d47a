"""Who explains images in a family: along a direction of its codes, or as the family brings it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from voxplain.counterfactual.diffusion import DiffusionGenerator
from voxplain.counterfactual.diffusion.explain import DiffusionExplainer, Mask
from voxplain.counterfactual.explain import LatentExplainer
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.measure.pattern import check_patterns
from voxplain.counterfactual.path import CounterfactualPath
from voxplain.counterfactual.running.direction_step import Found, direction_of
from voxplain.counterfactual.running.nulls import Nulls, nulls_of
from voxplain.counterfactual.running.own import Own, own_of
from voxplain.counterfactual.running.queries_step import Asked, answered, asked_of
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.counterfactual.running.train_step import TrainedGenerator


class Inquiry(ABC):
    """What was asked before any image is explained, and how each then is.

    Attributes:
        asked: what the classifier says of training images.
        found: the direction; None of families that are not explained along one.
        explainer: of single images.
        generator: the family.
        facts: of a family that was tuned to one image; none of others.
    """

    asked: Asked
    found: Found | None
    explainer: LatentExplainer | DiffusionExplainer
    generator: Generator
    facts: Mapping[str, Any] = MappingProxyType({})

    def own(self, x: Tensor) -> Inquiry:
        """That of one image (C, *S), where the family is tuned to it; else this one.

        Raises:
            InputError: checks of the direction in a tuned family are low.
        """
        return self

    @abstractmethod
    def explain(self, x: Tensor, target: float, mask: Mask) -> CounterfactualPath:
        """The way of an image (C, *S) to a logit; where something may change, of families that can tell."""

    @abstractmethod
    def nulls(self, x: Tensor, path: CounterfactualPath, sign: float) -> Nulls:
        """How often chance changes the decision on an image that was explained.

        Args:
            x: (C, *S).
            path: of the image.
            sign: 1 where the logit was to rise.
        """


class LinearInquiry(Inquiry):
    """Along a direction of the generator's codes.

    Args:
        task: with its settings.
        trained: the generator.
        device: where it lies.
    """

    def __init__(self, task: CounterfactualTask, trained: TrainedGenerator, device: torch.device) -> None:
        self.task, self.asked = task, asked_of(task, trained, device)
        self._take(Own(trained.generator, direction_of(task, trained.generator, self.asked)))
        check_patterns(self.asked.patterns, task.settings.direction.least_pattern)

    def _take(self, own: Own) -> None:
        told = self.task.settings.explain
        self.generator, self.facts = own.generator, own.facts
        self.found: Found = own.found
        self.explainer: LatentExplainer = LatentExplainer(
            own.generator, self.task.asked.decision, own.found.way, limit=told.limit, reinject=told.reinject
        )

    def own(self, x: Tensor) -> LinearInquiry:
        found = own_of(self.task, self.generator, self.asked, self.found, x)
        if found.generator is self.generator:
            return self
        other = copy(self)
        other._take(found)
        return other

    def explain(self, x: Tensor, target: float, mask: Mask) -> CounterfactualPath:
        return self.explainer.explain(x, target)

    def nulls(self, x: Tensor, path: CounterfactualPath, sign: float) -> Nulls:
        told = self.task.settings.explain
        return nulls_of(
            self.generator, self.task.asked.decision, self.found.nulls, x, dose=path.dose, sign=sign, limit=told.limit,
            reinject=told.reinject,
        )  # fmt: skip


def answered_first(task: CounterfactualTask, trained: TrainedGenerator) -> int | None:
    """How many answers are kept of what is asked before any image is explained; None where all are."""
    if isinstance(trained.generator, DiffusionGenerator):
        from voxplain.counterfactual.running.guided import stored_guided

        return 0 if stored_guided(task, trained) is None else None
    return answered(task, trained)


def inquiry_of(task: CounterfactualTask, trained: TrainedGenerator, device: torch.device) -> Inquiry:
    """As the family asks for it.

    Raises:
        InputError: checks that are low, training images that are all decided alike.
        ModelError: a classifier that gives no logits.
    """
    if isinstance(trained.generator, DiffusionGenerator):
        from voxplain.counterfactual.running.guided import GuidedInquiry

        return GuidedInquiry(task, trained, trained.generator, device)
    return LinearInquiry(task, trained, device)
