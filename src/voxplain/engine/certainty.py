"""How sure a segmentation is, from the outputs that decide it: no pass of its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from voxplain.engine.layout import Layout
from voxplain.target.functional import Output

# Bits of entropy from which a voxel is doubtful: of two classes the likelier one then has less than 68 %.
# Where a class ends some doubt is the rule, so that less would be found everywhere.
DOUBTFUL = 0.9
COLUMNS = 4


class Tally:
    """Counts per class, filled slab by slab along the first axis while a prediction is decided.

    Args:
        layout: of the windows; what was padded around the image does not count.
    """

    def __init__(self, layout: Layout, output: Output) -> None:
        self.layout, self.output = layout, output
        self.sums: Tensor | None = None  # (2, K): voxels, and their summed probability
        self.doubtful: Tensor | None = None  # (1 or K, *padded)

    def add(self, start: int, z: Tensor, first: Tensor, positive: Tensor | None) -> None:
        """Take outputs (K, n, ...) of the planes from ``start`` on, with what was decided there."""
        inside = self._inside(start, z.shape[1])
        classes = 2 if z.shape[0] == 1 else z.shape[0]
        if self.sums is None:
            layers = 1 if positive is None else classes
            self.sums = torch.zeros(2, classes, dtype=torch.float64)
            self.doubtful = torch.zeros((layers, *self.layout.padded), dtype=torch.bool)
        assert self.doubtful is not None
        here = slice(start, start + z.shape[1])
        if positive is None:
            sure, bits = decided(z, self.output)
            self.doubtful[0, here] = bits > DOUBTFUL
            labels = first[inside].flatten().long()
            weights = sure[inside].flatten().double()
            self.sums[0] += torch.bincount(labels, minlength=classes).double()
            self.sums[1] += torch.bincount(labels, weights, minlength=classes)
            return
        for k in range(classes):
            share = torch.sigmoid(z[k].float())
            self.doubtful[k, here] = of_two(share) > DOUBTFUL
            own = positive[k][inside]
            self.sums[0, k] += own.sum()
            self.sums[1, k] += share[inside][own].double().sum()

    def finish(self, labels: Tensor, positive: Tensor | None) -> Tensor:
        """(K, 4) float64: voxels, summed probability, voxels of the border, doubtful ones of these.

        Args:
            labels: (*spatial) the whole decision; a class's border are its voxels that touch another class with a face.
            positive: (K, *spatial) of independent classes.
        """
        assert self.sums is not None
        assert self.doubtful is not None
        out = torch.zeros(self.sums.shape[1], COLUMNS, dtype=torch.float64)
        out[:, :2] = self.sums.T
        doubtful = self.layout.unpad(self.doubtful)
        if positive is None:
            edge = borders(labels)
            out[:, 2] = torch.bincount(labels[edge].long(), minlength=len(out))
            out[:, 3] = torch.bincount(labels[edge & doubtful[0]].long(), minlength=len(out))
            return out
        for k, own in enumerate(positive):
            edge = borders(own) & own
            out[k, 2], out[k, 3] = edge.sum(), (edge & doubtful[k]).sum()
        return out

    def _inside(self, start: int, count: int) -> tuple[slice, ...]:
        """The part of a slab that is image and no padding."""
        first, *rest = zip(self.layout.before, self.layout.shape, strict=True)
        low = min(max(first[0] - start, 0), count)
        high = min(max(first[0] + first[1] - start, low), count)
        return (slice(low, high), *(slice(b, b + s) for b, s in rest))


def decided(z: Tensor, output: Output) -> tuple[Tensor, Tensor]:
    """Probability of the winning class, and entropy in bits, of outputs (K, ...) of exclusive classes: (...) each.

    Channels are gone through one by one, so that no second copy of all of them is made.
    """
    if z.shape[0] == 1:
        share = z[0].float() if output == "probabilities" else torch.sigmoid(z[0].float())
        return torch.maximum(share, 1 - share), of_two(share)
    if output == "probabilities":
        best = z.max(0).values.float()
        bits = torch.zeros_like(best)
        for channel in z:
            bits -= torch.special.xlogy(channel, channel.clamp_min(1e-30)).float() / math.log(2)
        return best, bits
    best = z.max(0).values.float()
    total, weighted = torch.zeros_like(best), torch.zeros_like(best)
    for channel in z:
        below = channel.float() - best
        weight = below.exp()
        total += weight
        weighted += below * weight
    return 1 / total, (total.log() - weighted / total) / math.log(2)


def of_two(share: Tensor) -> Tensor:
    """Entropy in bits of yes or no.

    >>> of_two(torch.tensor([0.5, 0.89, 0.999])).round(decimals=2)
    tensor([1.0000, 0.5000, 0.0100])
    """
    rest = 1 - share
    bits: Tensor = -(torch.special.xlogy(share, share) + torch.special.xlogy(rest, rest)) / math.log(2)
    return bits


def borders(labels: Tensor) -> Tensor:
    """Where a voxel touches one of another value with a face.

    >>> borders(torch.tensor([0, 0, 1, 1, 1]))
    tensor([False,  True,  True, False, False])
    """
    edge = torch.zeros(labels.shape, dtype=torch.bool)
    for axis, size in enumerate(labels.shape):
        other = labels.narrow(axis, 0, size - 1) != labels.narrow(axis, 1, size - 1)
        edge.narrow(axis, 0, size - 1).logical_or_(other)
        edge.narrow(axis, 1, size - 1).logical_or_(other)
    return edge
