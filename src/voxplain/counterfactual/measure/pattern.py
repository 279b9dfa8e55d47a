"""Whether a family of images goes together with the classifier's answer where real images do: no truth is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from voxplain.errors import InputError

BLOCK = 8  # images whose own means are taken out: an eighth of the degrees of freedom, and no image has to be kept
_HELPS = {
    "samples": "train the generator longer",
    "copies": "give it more room (components, latent, styles) or a better encoder (space: w+, refine)",
}
LEAST_LIMIT = 0.5  # correlation with as many new real images, below which images are too few to tell


@dataclass(frozen=True)
class Agreement:
    """How two patterns lie to each other.

    Attributes:
        r: correlation over voxels, as it is found.
        limit: what it would be for a perfect family, were its images other ones: what noise of so few images leaves.
        agreement: correlation without that noise, at most 1; None where images are too few to tell.
    """

    r: float
    limit: float
    agreement: float | None


class Pattern:
    """The covariance of each voxel with the score (Haufe et al., NeuroImage 2014), over images that pass by.

    Images come in blocks. Each block's own means are taken out, and what it adds has the mean of all voxels taken out, since
    patterns are correlated over voxels. Only the sum over blocks is kept, with its products block by block: blocks are
    independent, so that products of different ones hold no noise on average. That is how `agree` corrects for chance.

    Attributes:
        total: (C, *S) sum of the blocks' scatter, centred over voxels, float64.
        own: sum over blocks of the squared length of what each added.
        degrees, squares: sums over blocks of the images less one, and of its square.
    """

    def __init__(self, total: Tensor, own: float = 0.0, degrees: float = 0.0, squares: float = 0.0) -> None:
        self.total, self.own, self.degrees, self.squares = total, own, degrees, squares

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Self:
        """Before any image (C, *S)."""
        return cls(torch.zeros(shape, dtype=torch.float64))

    def add(self, images: Tensor, scores: Tensor) -> list[Tensor]:
        """Images (N, C, *S) and their scores (N,), in blocks; what each block added."""
        out = []
        for start in range(0, len(images), BLOCK):
            block, told = images[start : start + BLOCK], scores[start : start + BLOCK]
            if len(block) < 2:
                continue  # one image varies with nothing
            found = _scatter(block, told)
            degrees = len(block) - 1
            self.total += found
            self.own += float(found.square().sum())
            self.degrees, self.squares = self.degrees + degrees, self.squares + degrees**2
            out.append(found)
        return out

    @property
    def map(self) -> Tensor:
        """(C, *S) the covariance, less its mean over voxels; NaN before two images."""
        return self.total / self.degrees if self.degrees else torch.full_like(self.total, float("nan"))

    @property
    def power(self) -> float:
        """Squared length of the pattern without what noise adds to it: products of different blocks alone."""
        return _between(float(self.total.square().sum()), self.own, self.degrees, self.degrees, self.squares)

    @property
    def reliability(self) -> float:
        """Share of the pattern's squared length that is no noise; from 0."""
        whole = float(self.map.square().sum()) if self.degrees else 0.0
        return max(self.power, 0.0) / whole if whole > 0 else 0.0


class Patterns:
    """Of real images, of a family's copies of some of them, and of its samples.

    Args:
        real, copies, samples: of each.
        shared: sum over blocks of the product of what real images and their copies added.
        squares: sum over these blocks of the product of their degrees of freedom.
    """

    def __init__(
        self, real: Pattern, copies: Pattern, samples: Pattern, shared: float = 0.0, squares: float = 0.0
    ) -> None:
        self.real, self.copies, self.samples, self.shared, self.squares = (
            real,
            copies,
            samples,
            shared,
            squares,
        )

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Self:
        """Before any image (C, *S)."""
        return cls(Pattern.empty(shape), Pattern.empty(shape), Pattern.empty(shape))

    def pair(self, images: Tensor, scores: Tensor, copies: Tensor, copied: Tensor) -> None:
        """Real images (N, C, *S), their scores, and copies of all of them with the scores of these."""
        both = zip(self.real.add(images, scores), self.copies.add(copies, copied), strict=True)
        self.shared += sum(float((one * other).sum()) for one, other in both)
        self.squares = self.copies.squares

    @property
    def of_copies(self) -> Agreement | None:
        """Of copies, if there are any; what real images and their own copies share by chance does not count."""
        return _agree(self.real, self.copies, self.shared, self.squares)

    @property
    def of_samples(self) -> Agreement | None:
        """Of samples, if there are any."""
        return _agree(self.real, self.samples, 0.0, 0.0)

    def tensors(self) -> dict[str, Tensor]:
        """For a file."""
        three = {"real": self.real, "copies": self.copies, "samples": self.samples}
        sums = [[p.own, p.degrees, p.squares] for p in three.values()] + [[self.shared, self.squares, 0.0]]
        maps = {f"pattern of {name}": pattern.total for name, pattern in three.items()}
        return {**maps, "pattern sums": torch.tensor(sums, dtype=torch.float64)}

    @classmethod
    def read(cls, tensors: Mapping[str, Tensor]) -> Self:
        """What `tensors` gave."""
        *own, (shared, squares, _) = tensors["pattern sums"].tolist()
        names = ("real", "copies", "samples")
        real, copies, samples = (
            Pattern(tensors[f"pattern of {n}"], *sums) for n, sums in zip(names, own, strict=True)
        )
        return cls(real, copies, samples, shared, squares)


def check_patterns(patterns: Patterns, least: float) -> None:
    """Refuse a family in which the score goes together with other voxels than in real images.

    Raises:
        InputError: copies or samples agree less than ``least``, where images are enough to tell.
    """
    both = {"samples": patterns.of_samples, "copies": patterns.of_copies}
    known = {name: found.agreement for name, found in both.items() if found is not None}
    low = {name: found for name, found in known.items() if found is not None and found < least}
    if low:
        told = " and ".join(f"of its {name} ({found:.2f})" for name, found in low.items())
        raise InputError(
            f"generator: the logit goes together with other voxels {told} than of real images; expected patterns that "
            f"correlate by {least:.2f} at least (direction.least_pattern); {' and '.join(_HELPS[name] for name in low)}, or "
            "take another generator.family"
        )


def _scatter(images: Tensor, scores: Tensor) -> Tensor:
    """(C, *S) on the CPU: sum over images of what voxels and scores are off their means, less its mean over voxels."""
    score = (scores - scores.mean()).double()
    voxels = images.double()
    # scores are centred, so that the means of voxels take nothing out; near them products lose no digits
    found: Tensor = torch.tensordot(score, voxels - voxels.mean(0), 1)
    return (found - found.mean()).cpu()


def _between(product: float, own: float, one: float, other: float, squares: float) -> float:
    """The mean product of what different blocks say, from that of the sums and those within blocks; 0 of one block."""
    pairs = one * other - squares
    return (product - own) / pairs if pairs > 0 else 0.0


def _agree(one: Pattern, other: Pattern, shared: float, squares: float) -> Agreement | None:
    if not one.degrees or not other.degrees:
        return None
    product = float((one.total * other.total).sum())
    lengths = float(one.total.norm() * other.total.norm())
    limit = (one.reliability * other.reliability) ** 0.5
    clean = one.power * other.power
    agreement = None
    if limit >= LEAST_LIMIT and clean > 0:
        agreement = _between(product, shared, one.degrees, other.degrees, squares) / clean**0.5
        agreement = max(-1.0, min(1.0, agreement))
    return Agreement(product / lengths if lengths > 0 else 0.0, limit, agreement)
