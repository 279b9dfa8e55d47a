"""Several answers about one image, and a mean map that still adds up to the mean decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn

from voxplain.errors import InputError
from voxplain.inherent.classifier import EvidenceClassifier
from voxplain.inherent.evidence import Agreed, Explanation
from voxplain.inherent.uncertainty.several import all_flips
from voxplain.inherent.uncertainty.thinned import thinned

T = TypeVar("T")


class Committee(nn.Module):
    """Asks every network about the image and its mirror images, each as often as units are dropped.

    Means of contributions add up to the mean logit, whatever the pool; where an image is mirrored, so are the maps. The
    mean logit is the pool of the mean evidence for a linear pool (mean) alone; `contribution` is what the decision is a
    sum of.

    Args:
        networks: are asked, and not changed.
        mirrored: whether mirror images are asked about, too: 4 answers of a slice, 8 of a volume.
        draws: how often units are dropped (Monte-Carlo dropout); 0 asks once, with all units.
        seed: of what is dropped.

    Raises:
        InputError: no network, fewer than 0 draws; when it is asked: draws of a network that drops nothing.

    >>> net = Committee([EvidenceClassifier(nn.Conv2d(1, 4, 3, padding=1), 4, 2, "max", spatial_dims=2)], mirrored=True)
    >>> answer = net.explain(torch.rand(1, 1, 5, 6))
    >>> len(answer.member_logits), bool((answer.contribution.sum((2, 3)) - answer.logits).abs().max() < 1e-5)
    (4, True)
    """

    def __init__(
        self, networks: Sequence[EvidenceClassifier], *, mirrored: bool = False, draws: int = 0, seed: int = 0
    ) -> None:
        super().__init__()
        if not networks:
            raise InputError("networks: found none, expected at least one")
        if draws < 0:
            raise InputError(f"draws: found {draws}, expected at least 0")
        self.networks, self.draws, self.seed = nn.ModuleList(networks), draws, seed
        self.faithful = all(network.faithful for network in networks)
        turns = all_flips(networks[0].spatial_dims) if mirrored else []
        # axes of (N, C, *S)
        self.flips = [tuple(axis + 2 for axis in turn.flips) for turn in turns] or [()]

    @property
    def members(self) -> int:
        """How many answers there are."""
        return len(self.networks) * max(self.draws, 1) * len(self.flips)

    def forward(self, x: Tensor) -> Tensor:
        """(N, K) mean logits of (N, C, *S)."""
        answers = self._asked(lambda network, flips: network(x.flip(flips)))
        return torch.stack(list(answers)).mean(0)

    @torch.no_grad()
    def explain(self, x: Tensor) -> Agreed:
        """Means of logits, evidence, contribution and residual, and how far evidence and logits differ.

        Sums and not maps are kept (Welford, 1962), so that memory does not grow with the number of answers.
        """
        logits: list[Tensor] = []
        evidence = squares = contribution = residual = torch.zeros((), device=x.device)
        for n, one in enumerate(self._asked(lambda network, flips: _turned(network, x, flips)), start=1):
            logits.append(one.logits)
            away = one.evidence - evidence
            evidence = evidence + away / n
            squares = squares + away * (one.evidence - evidence)
            contribution = contribution + (one.contribution - contribution) / n
            residual = residual + (one.residual - residual) / n
        told = torch.stack(logits)
        deviation = (squares / len(told)).sqrt()
        return Agreed(told.mean(0), evidence, contribution, residual, self.faithful, deviation, told)

    def _asked(self, ask: Callable[[EvidenceClassifier, tuple[int, ...]], T]) -> Iterator[T]:
        for network in self.networks:
            assert isinstance(network, EvidenceClassifier)
            for draw in range(max(self.draws, 1)):
                with thinned(network, draw, self.seed) if self.draws else nullcontext():
                    for flips in self.flips:
                        yield ask(network, flips)


def _turned(network: EvidenceClassifier, x: Tensor, flips: tuple[int, ...]) -> Explanation:
    """The answer about a mirror image, its maps mirrored back."""
    found = network.explain(x.flip(flips))
    evidence, contribution = found.evidence.flip(flips), found.contribution.flip(flips)
    return Explanation(found.logits, evidence, contribution, found.residual, found.faithful)
