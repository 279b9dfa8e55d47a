"""Who explains images in a family: along a direction of its codes, or as the family brings it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from voxplain.counterfactual.diffusion import DiffusionGenerator
from voxplain.counterfactual.diffusion.explain import DiffusionExplainer, Mask
from voxplain.counterfactual.explain import LatentExplainer
from voxplain.counterfactual.path import CounterfactualPath
from voxplain.counterfactual.running.nulls import Nulls, nulls_of
from voxplain.counterfactual.running.queries_step import Asked, Found, asked_of, direction_of
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.counterfactual.running.train_step import TrainedGenerator


class Inquiry(ABC):
    """What was asked before any image is explained, and how each then is.

    Attributes:
        asked: what the classifier says of training images.
        found: the direction; None of families that are not explained along one.
        explainer: of single images.
    """

    asked: Asked
    found: Found | None
    explainer: LatentExplainer | DiffusionExplainer

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
        self.task, self.generator, told = task, trained.generator, task.settings.explain
        self.asked = asked_of(task, trained, device)
        self.found: Found = direction_of(task, trained.generator, self.asked)
        self.explainer: LatentExplainer = LatentExplainer(
            trained.generator, task.asked.decision, self.found.way, limit=told.limit, reinject=told.reinject
        )

    def explain(self, x: Tensor, target: float, mask: Mask) -> CounterfactualPath:
        return self.explainer.explain(x, target)

    def nulls(self, x: Tensor, path: CounterfactualPath, sign: float) -> Nulls:
        told = self.task.settings.explain
        return nulls_of(
            self.generator, self.task.asked.decision, self.found.nulls, x, dose=path.dose, sign=sign, limit=told.limit,
            reinject=told.reinject,
        )  # fmt: skip


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
