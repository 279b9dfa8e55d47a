"""One attribute after the other: which coordinates of the family change the score, and what each of them changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from voxplain.counterfactual.direction.queries import Scorer, scored
from voxplain.counterfactual.generator.coordinates import CoordinateSpace, coordinates_of
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.inherent.bootstrap import intervals, weighted_mean


@dataclass(frozen=True, eq=False)
class Attribute:
    """A coordinate and what it does.

    Args:
        name: of it.
        sign: 1 where the score rises with it, −1 where it rises against it.
        effect: mean rise of the score by the step, over images.
        share: of the images whose score rises by at least the least effect.
        coordinate: its number; from the one along which images vary most in families that sort them.
        place: where it lies, in words; empty where its number says all.
        interval: of the effect, were other patients drawn (95 %); NaN for fewer than three.
    """

    name: str
    sign: float
    effect: float
    share: float
    coordinate: int
    place: str
    interval: tuple[float, float]


def attributes(
    generator: Generator,
    scorer: Scorer,
    codes: Tensor,
    *,
    step: float = 2.0,
    least: float = 0.2,
    often: float = 0.03,
    count: int = 10,
    among: int | None = None,
    groups: Sequence[str] | None = None,
    space: CoordinateSpace = "auto",
    seed: int = 0,
) -> list[Attribute]:
    """AttFind (Lang et al., ICCV 2021) over coordinates of a family: those that move the score, the strongest first.

    Every coordinate is moved by itself, both ways, in every image. Models are only asked for scores.

    Args:
        generator: whose codes.
        scorer: the model.
        codes: (N, D) of images, some dozens or hundreds.
        step: standard deviations.
        least: rise of the score that counts for an image, as a share of the scores' deviation over the images.
        often: share of the images that must rise so for a coordinate to be kept.
        count: how many are kept at most.
        among: so many coordinates are asked about, the first ones; None asks about all.
        groups: (N,) patients, who are drawn again whole; by default each image is of its own.
        space: whose coordinates, see `coordinates_of`.
        seed: of these draws.

    Raises:
        InputError: styles of a family without.
    """
    where = coordinates_of(generator, space)
    with torch.no_grad():
        before = scored(scorer, generator.decode(codes))
        unit = float(before.std()) or 1.0
        found = []
        patients = [str(n) for n in range(len(codes))] if groups is None else groups
        for k in range(min(where.count, among or where.count)):
            for sign in (1.0, -1.0):
                rise = scored(scorer, where.moved(codes, k, sign * step)) - before
                share = float((rise > least * unit).double().mean())
                if share >= often:
                    interval = _interval(rise, patients, seed)
                    told = (f"attribute {k}", sign, float(rise.mean()), share, k, where.place(k), interval)
                    found.append(Attribute(*told))
    return sorted(found, key=lambda a: -a.effect)[:count]


def _interval(rise: Tensor, groups: Sequence[str], seed: int) -> tuple[float, float]:
    values = rise.detach().cpu().double().numpy()
    (found,) = intervals(lambda weights: np.array([weighted_mean(values, weights)]), groups, seed=seed)
    return found.low, found.high
