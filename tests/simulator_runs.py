"""A small cohort of the disease phantom, its classifier and settings that train in seconds."""

from __future__ import annotations

import numpy as np
import torch

from voxplain.counterfactual.classifier.decision import Decision
from voxplain.inherent.data import Sample, Samples, split_samples
from voxplain.phantom import diseased_subject
from voxplain.phantom.disease.rules import SizeRule
from voxplain.simulator.losses import LossSettings
from voxplain.simulator.networks import VelocitySimulator
from voxplain.simulator.training import SimulatorTraining


def cohort(subjects=40, shape=(16, 16), seed=0):
    """Subjects, every second one diseased, and their phantoms."""
    pairs = [diseased_subject(shape, seed=seed, subject=i) for i in range(subjects)]
    images = [(p.diseased if i % 2 else p.healthy).image for i, p in enumerate(pairs)]
    items = tuple(Sample(f"s{i}", image, i % 2, f"p{i}") for i, image in enumerate(images))
    return Samples(items, ("healthy", "diseased")), pairs


def rule_of(samples, rule="both"):
    """The analytic classifier of a cohort, as a decision."""
    groups = [np.stack([s.image for s in samples if s.label == k]) for k in (0, 1)]
    return Decision(SizeRule.fitted(rule, *groups))


def small_network(seed=0, **other):
    torch.manual_seed(seed)
    return VelocitySimulator(1, widths=(4, 6), **other)


def settings(**other):
    told = {"epochs": 3, "batch": 6, "device": "cpu", "progress": False, "learning_rate": 5e-3}
    return SimulatorTraining(**{**told, **other})


SAMPLES, PAIRS = cohort()
DECISION = rule_of(SAMPLES)
SPLIT = split_samples(SAMPLES)
ALL_LOSSES = LossSettings(cycle=1.0, gradient=1e-3, adversarial=0.05)
