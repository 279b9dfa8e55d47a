"""From settings to what a generator learns from and who is explained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from voxplain.counterfactual.classifier.decision import Decision
from voxplain.counterfactual.classifier.key import decision_key
from voxplain.counterfactual.classifier.load import load_classifier, name_classes
from voxplain.counterfactual.classifier.settings import ClassifierSettings
from voxplain.counterfactual.running.families import check_parameters
from voxplain.counterfactual.running.places import Places
from voxplain.counterfactual.settings.config import CounterfactualSettings
from voxplain.errors import InputError, VoxplainError
from voxplain.inherent.data import Reader, Samples, Split, prepared
from voxplain.inherent.data.orientations import check_orientations
from voxplain.inherent.data.sample import UNKNOWN
from voxplain.inherent.running.task import divided, preparation_of, read_samples
from voxplain.model import Preparation


@dataclass(frozen=True, eq=False)
class Classifier:
    """Who is explained.

    Attributes:
        decision: the logit towards the second name and away from the first.
        names: what the two classes are called.
        source: as it was asked for.
        oracle: the logit of another classifier between the same two; None where there is none.
    """

    decision: Decision
    names: tuple[str, str]
    source: str
    oracle: Decision | None = None


@dataclass(frozen=True, eq=False)
class CounterfactualTask:
    """What one settings file is about.

    Attributes:
        settings: the file's.
        samples, split: the images, of whatever class.
        preparation: from files to the input of generator and classifier.
        shape: (C, *S) of the first prepared image.
        classifier: who is explained; None where the file names none, which training does not need.
    """

    settings: CounterfactualSettings
    samples: Samples
    split: Split
    preparation: Preparation
    shape: tuple[int, ...]
    classifier: Classifier | None

    @property
    def places(self) -> Places:
        """Where the results are."""
        return Places(self.settings.out, self.settings.generator.folder)

    @property
    def asked(self) -> Classifier:
        """Who is explained.

        Raises:
            InputError: the settings name nobody.
        """
        if self.classifier is None:
            raise InputError(
                "classifier: found none, expected whom to explain, such as classifier: {source: nets.py:network, weights: "
                "network.safetensors}"
            )
        return self.classifier

    @cached_property
    def who(self) -> str:
        """A short name for the classifier; a black box is asked about one image for it.

        Raises:
            InputError: the settings name nobody.
        """
        decision, told = self.asked.decision, self.settings.classifier
        assert told is not None
        return decision_key(told, decision, torch.zeros(self.shape))


def prepare_task(settings: CounterfactualSettings) -> CounterfactualTask:
    """Read what there is, divide it, and load the classifier; of the images only the first one is read.

    Raises:
        InputError: data, classes or parameters that cannot be; one line per mistake.
        ModelError: a classifier that cannot be loaded, or gives no logits.
    """
    check_parameters(settings.generator)
    asked = settings.classifier
    model = None if asked is None else load_classifier(asked, settings.prepare)
    preparation = preparation_of(settings.prepare) if model is None else model.prepare
    samples = read_samples(settings.data, labelled=False)
    check_orientations(samples, preparation.orientation)
    image = prepared(samples[0], preparation, Reader()).image
    classifier = None
    if asked is not None and model is not None:
        named = name_classes(asked, model, image, samples.classes)
        decision = named.decision
        names = named.classes[decision.healthy], named.classes[decision.diseased]
        oracle = None if asked.oracle is None else _oracle(asked.oracle, settings, image, samples, names)
        classifier = Classifier(decision, names, Path(asked.source).name, oracle)
    split = divided(samples, settings.split, labelled=_labelled(samples))
    if not split.validation:
        raise InputError(
            "split: the validation part is empty, but generators are measured on it; give it a share"
        )
    return CounterfactualTask(settings, samples, split, preparation, tuple(image.shape), classifier)


def _labelled(samples: Samples) -> bool:
    """Whether there are classes that parts can have equal shares of."""
    return len(samples.classes) > 1 and all(sample.label != UNKNOWN for sample in samples)


def _oracle(
    asked: ClassifierSettings,
    settings: CounterfactualSettings,
    image: Tensor,
    samples: Samples,
    names: tuple[str, str],
) -> Decision:
    """Between the same two names, where it does not call them otherwise."""
    known = samples.classes if asked.classes is None else ()
    same = {"healthy": asked.healthy or names[0], "diseased": asked.diseased or names[1]}
    try:
        model = load_classifier(asked, settings.prepare)
        return name_classes(asked.model_copy(update=same), model, image, known).decision
    except VoxplainError as error:
        raise type(error)(f"classifier.oracle: {str(error).removeprefix('classifier: ')}") from None
