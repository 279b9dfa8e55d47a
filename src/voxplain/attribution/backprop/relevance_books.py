"""Where relevance went that did not reach the image: for every sample and target, by the rules' own formulas."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields

from torch import Tensor


@dataclass
class Account:
    """What became of one target's relevance.

    Attributes:
        start, magnitude: what went in at the network's output, and the sum of its magnitudes.
        arrived: what reached the network's input, the padding of windows included.
        bias, epsilon, softmax: what they took.
        dead: what stood at outputs to which nothing contributed as the rule demands.
        detached: what tensors got that the network detached from the image.
    """

    start: float = 0.0
    magnitude: float = 0.0
    arrived: float = 0.0
    bias: float = 0.0
    epsilon: float = 0.0
    softmax: float = 0.0
    dead: float = 0.0
    detached: float = 0.0

    @property
    def missing(self) -> float:
        """What nobody got: 0 but for rounding, unless a rule is wrong."""
        taken = self.bias + self.epsilon + self.softmax + self.dead + self.detached
        return self.start - self.arrived - taken

    @property
    def gap(self) -> float:
        """`missing` relative to what went in."""
        if self.start == 0:
            return 0.0 if self.missing == 0 else float("inf")
        return abs(self.missing / self.start)


class Books:
    """Accounts of the targets, written batch by batch.

    Attributes:
        targets: per target, its account.
        unreadable: a tensor's first axis did not hold the samples, so that accounts may be wrong.
    """

    def __init__(self) -> None:
        self.targets: dict[int, Account] = defaultdict(Account)
        self.unreadable = False
        self._samples = 1
        self._page: dict[str, Tensor] = {}

    def start(self, samples: int) -> None:
        """A forward pass of so many samples begins."""
        self._samples = samples
        self._page = {}

    def open(self, relevance: Tensor) -> None:
        """A backward pass begins, with relevance (B, K, ...) at the outputs; the last one may have been given up."""
        self._page = {}
        self.take("start", relevance)
        self.take("magnitude", relevance.abs())

    def take(self, entry: str, relevance: Tensor | None) -> None:
        """Relevance (B · n, ...) that went somewhere, with samples along the first axis."""
        if relevance is None:
            return
        if self._samples > 1 and (relevance.dim() == 0 or relevance.shape[0] % self._samples):
            self.unreadable = True
            return
        total = relevance.detach().double().reshape(self._samples, -1).sum(1)
        self._page[entry] = self._page[entry] + total if entry in self._page else total

    def close(self, served: Sequence[tuple[int, int]]) -> None:
        """The backward pass went through, for these (sample, target)."""
        page = {entry: total.tolist() for entry, total in self._page.items()}
        for sample, target in served:
            account = self.targets[target]
            for field in fields(Account):
                if field.name in page:
                    setattr(account, field.name, getattr(account, field.name) + page[field.name][sample])
        self._page = {}
