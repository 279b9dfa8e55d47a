"""The classifier that is explained: loaded from settings, as one logit between two of its classes."""

from __future__ import annotations

from voxplain.counterfactual.classifier.black_box import BlackBox
from voxplain.counterfactual.classifier.decision import Decision
from voxplain.counterfactual.classifier.load import load_classifier, name_classes
from voxplain.counterfactual.classifier.settings import ClassifierSettings

__all__ = ["BlackBox", "ClassifierSettings", "Decision", "load_classifier", "name_classes"]
