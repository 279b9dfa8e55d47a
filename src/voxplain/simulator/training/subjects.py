"""Whom a simulator learns from: subjects whom the classifier sees rightly, and what it says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.counterfactual.classifier.decision import Decision
from voxplain.errors import InputError
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.data.sample import Samples


@dataclass(frozen=True, eq=False)
class Typical:
    """The classifier's typical logits, of training subjects whom it sees rightly.

    Args:
        healthy: median of healthy subjects.
        diseased: of diseased ones.
    """

    healthy: float
    diseased: float

    @property
    def gap(self) -> float:
        """Distance of the two, > 0: the logit that a dose of 1 is worth."""
        return self.diseased - self.healthy

    def of(self, direction: float) -> float:
        """The typical logit of the class that a direction leads to."""
        return self.diseased if direction > 0 else self.healthy


@dataclass(frozen=True, eq=False)
class Subjects:
    """Images of a part that the classifier sees rightly.

    Args:
        indices: of the samples.
        logits: (n,) float32, on the CPU, in that order.
        asked: how many there were.
    """

    indices: tuple[int, ...]
    logits: Tensor
    asked: int

    def pool(self, ill: bool) -> Tensor:
        """Logits of the subjects that are diseased, or that are not."""
        return self.logits[(self.logits > 0) == ill]

    def typical(self) -> Typical:
        """Medians of both classes."""
        return Typical(*(float(self.pool(ill).median()) for ill in (False, True)))


class NobodyRightError(InputError):
    """A class of which a classifier gets nobody right.

    Args:
        what: which class of which part, and how many images.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"classifier: {what} it gets none right; a simulator learns from those that it does")
        self.what = what

    def __reduce__(self) -> tuple[type[NobodyRightError], tuple[str]]:
        """Processes tell it to each other."""
        return type(self), (self.what,)


def correct(
    images: Images, part: Sequence[int], decision: Decision, *, batch: int, device: torch.device, name: str
) -> Subjects:
    """The subjects of a part whose class the classifier gets right.

    Only these teach: where it errs, the way to the other class is no explanation of a disease. Samples of other classes than
    the two of the decision are left out.

    Args:
        images: prepared.
        part: indices of samples.
        decision: asked in batches.
        batch: images per pass.
        device: where.
        name: of the part, for messages.

    Raises:
        NobodyRightError: a class of which nobody is right.
    """
    samples = images.samples
    wanted = [i for i in part if samples[i].label in (decision.healthy, decision.diseased)]
    found = [torch.zeros(0)]
    with torch.no_grad():
        for start in range(0, len(wanted), batch):
            x = torch.stack([images[i] for i in wanted[start : start + batch]]).to(device)
            found.append(decision(x).float().cpu())
    logits = torch.cat(found)
    ill = torch.tensor([samples[i].label == decision.diseased for i in wanted], dtype=torch.bool)
    right = (logits > 0) == ill
    for kind, of in (("healthy", ~ill), ("diseased", ill)):
        if not (right & of).any():
            label = decision.healthy if kind == "healthy" else decision.diseased
            raise NobodyRightError(f"of {int(of.sum())} images of class {_class(samples, label)!r} in {name}")
    kept = torch.nonzero(right)[:, 0].tolist()
    return Subjects(tuple(wanted[k] for k in kept), logits[right], len(wanted))


def _class(samples: Sequence[object], label: int) -> str:
    assert isinstance(samples, Samples)
    return samples.classes[label] if label < len(samples.classes) else str(label)
