"""The two phantoms with their truth, and who is explained by benchmarks/counterfactual.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from simulator_cohort import (
    CLASSES,
    Cohort,
    cnn,
    make_cohort,
    marked,
    permuted,
    permuted_cnn,
    random_cnn,
    rule,
)
from torch import Tensor

from voxplain.counterfactual.classifier import Decision
from voxplain.inherent.data import Sample, Samples, split_samples
from voxplain.phantom.disease import CornerMark, MixedSubject, diseased_subject, mixed_subject
from voxplain.phantom.disease.spot_rule import SpotRule

PHANTOMS = ("easy", "hard")
MARK = CornerMark(0.05, 0.95)
FAINT = {"easy": (0.2, 0.5), "hard": (0.4, 0.7)}  # a disease so faint that the mark is what helps
_EPOCHS = {"easy": 12, "hard": 25}  # of a CNN


@dataclass(frozen=True, eq=False)
class Asked:
    """Test subjects whom a classifier sees rightly, in one direction.

    Attributes:
        towards: "disease" or "healthy".
        images: (N, 1, *S) where they start.
        effect: (N, 1, *S) what the right explanation changes: the twin less the image, of the part that is used.
    """

    towards: str
    images: Tensor
    effect: Tensor

    @property
    def sign(self) -> float:
        """+1 towards the disease."""
        return 1.0 if self.towards == "disease" else -1.0


class World:
    """One phantom: subjects to learn from, test subjects twice, and classifiers of them.

    Args:
        name: of PHANTOMS.
        edge: voxels.
        subjects, test: to learn from, and asked about.
        seed: of all.
        out: folder for trainings, which are not done twice.
    """

    def __init__(self, name: str, edge: int, subjects: int, test: int, seed: int, out: Path) -> None:
        self.name, self.shape, self.seed, self.out = name, (edge, edge), seed, out
        self._counts = (subjects, test)
        self._known: dict[str, Decision] = {}

    @cached_property
    def cohort(self) -> Cohort:
        """As the disease mostly is."""
        return self._drawn(None)

    @cached_property
    def marked(self) -> Cohort:
        """Faintly diseased, and most of these with a mark."""
        return marked(self._drawn(FAINT[self.name]), MARK)

    @property
    def classifiers(self) -> tuple[str, ...]:
        """Who can be explained against a truth."""
        return (
            ("rule", "left rule", "CNN", "marked CNN")
            if self.name == "easy"
            else ("rule", "CNN", "marked CNN")
        )

    def learned(self, classifier: str) -> Cohort:
        """The images that a classifier, and the generators for it, have learned from."""
        return self.marked if classifier == "marked CNN" else self.cohort

    def decision(self, classifier: str) -> Decision:
        """Of one name: of `classifiers`, "random CNN k" or "permuted CNN"."""
        if classifier not in self._known:
            self._known[classifier] = self._made(classifier)
        return self._known[classifier]

    def asked(self, classifier: str, towards: str, most: int) -> Asked:
        """Test subjects whom it sees rightly, with the part of the disease that it uses."""
        cohort, decision = self.learned(classifier), self.decision(classifier)
        pairs = [p for p in cohort.test if self._uses(classifier, p)]
        begins = [p.healthy.image if towards == "disease" else p.diseased.image for p in pairs]
        images = torch.from_numpy(np.stack(begins))
        sign = 1.0 if towards == "disease" else -1.0
        with torch.no_grad():
            kept = torch.nonzero(decision(images) * sign < 0)[:most, 0].tolist()
        effect = np.stack([sign * self._effect(classifier, pairs[i]) for i in kept])
        return Asked(towards, images[kept], torch.from_numpy(effect))

    def _drawn(self, severity: tuple[float, float] | None) -> Cohort:
        subjects, test = self._counts
        told = {} if severity is None else {"severity": severity}
        if self.name == "easy":
            return make_cohort(self.shape, subjects, test, self.seed, **told)
        return _mixed_cohort(self.shape, subjects, test, self.seed, **told)

    def _made(self, classifier: str) -> Decision:
        cohort, place = self.learned(classifier), self.out / f"{self.name} {classifier}"
        if classifier == "rule":
            return rule(cohort, "both") if self.name == "easy" else _spot_rule(cohort)
        if classifier == "left rule":
            return rule(cohort, "left")
        if classifier.startswith("random CNN"):
            return random_cnn(cohort, 1000 * self.seed + int(classifier.rsplit(maxsplit=1)[-1]))
        if classifier == "permuted CNN":
            return permuted_cnn(permuted(cohort, self.seed), self.seed, place)
        return cnn(cohort, self.seed, place, epochs=_EPOCHS[self.name])

    def _uses(self, classifier: str, pair: object) -> bool:
        """The spot rule knows lesions alone."""
        return not (classifier == "rule" and isinstance(pair, MixedSubject)) or pair.kind == "lesions"

    def _effect(self, classifier: str, pair: object) -> np.ndarray:
        healthy, ill = pair.healthy, pair.diseased  # type: ignore[attr-defined]
        if classifier == "left rule":
            told = {k: healthy.meta[k] for k in ("seed", "subject")}
            ill = diseased_subject(self.shape, **told, sides="left", severity=pair.severity).diseased  # type: ignore[attr-defined]
        return np.asarray(ill.image - healthy.image)  # the noise of both is the same


def _mixed_cohort(
    shape: Sequence[int], subjects: int, test: int, seed: int, severity: tuple[float, float] = (1.0, 1.6)
) -> Cohort:
    pairs = [mixed_subject(shape, seed=seed, subject=i, severity=severity) for i in range(subjects + test)]
    cases = [p.diseased if i % 2 else p.healthy for i, p in enumerate(pairs[:subjects])]
    samples = Samples(
        tuple(Sample(case.id, case.image, i % 2, f"p{i}") for i, case in enumerate(cases)), CLASSES
    )
    split = split_samples(samples, {"train": 0.85, "validation": 0.15, "test": 0.0}, seed=seed)
    return Cohort(samples, split, tuple(pairs[subjects:]))  # type: ignore[arg-type]


def _spot_rule(cohort: Cohort) -> Decision:
    """Fitted on the twins of test subjects that have lesions: a rule learns two numbers alone."""
    pairs = [p for p in cohort.test if p.kind == "lesions"]  # type: ignore[attr-defined]
    groups = [np.stack([getattr(p, name).image for p in pairs]) for name in ("healthy", "diseased")]
    return Decision(SpotRule.fitted(*groups))


def training_images(cohort: Cohort) -> Tensor:
    """(N, 1, *S) of the training part."""
    return torch.from_numpy(np.stack([cohort.samples[i].image for i in cohort.split.train]))
