"""The confounders of the settings: columns of the data table, or brightness and contrast of the images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.counterfactual.direction import Direction
from voxplain.counterfactual.direction.confounders import Confounder, carried, projector, without
from voxplain.counterfactual.direction.least_squares import Doubles, arrays, ridge_fit
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.errors import InputError, suggest
from voxplain.inherent.data.prepared import Images

_LEAST = 8  # images of which a confounder must be known
_OF_IMAGES: dict[str, Callable[[Tensor], Tensor]] = {
    "brightness": lambda images: images.flatten(1).mean(1),
    "contrast": lambda images: images.flatten(1).std(1),
}


@dataclass(frozen=True)
class Carried:
    """How much of a confounder the direction holds.

    Attributes:
        name: the column, of a category ``column=level``.
        r2: what a linear model of the codes tells of it, of training images left out.
        before, after: the correlation of it with the place of held-out images along the direction, before and after it was
            projected out; NaN where it does not vary among them.
        images: held-out ones of which it is known.
    """

    name: str
    r2: float
    before: float
    after: float
    images: int


@dataclass(frozen=True, eq=False)
class Known:
    """The confounders of the settings.

    Attributes:
        away: (R, R) takes them out of whitened steps.
        taken: what it is made of: of a category all levels but one.
        learned, held: of training images, and of held-out ones; in the same order.
    """

    away: Doubles
    taken: tuple[Confounder, ...]
    learned: tuple[Confounder, ...]
    held: tuple[Confounder, ...]

    def without(self, found: Direction, statistics: LatentStatistics) -> Direction:
        """The direction without them."""
        return without(found, statistics, self.away) if self.learned else found

    def carried(
        self, before: Direction, after: Direction, statistics: LatentStatistics
    ) -> tuple[Carried, ...]:
        """How much two directions hold of each."""
        return tuple(
            Carried(
                own.name,
                ridge_fit(arrays(statistics.whiten(own.codes)), arrays(own.values))[1],
                carried(before, statistics, held),
                carried(after, statistics, held),
                len(held.values),
            )
            for own, held in zip(self.learned, self.held, strict=True)
        )


def confounders_of(
    task: CounterfactualTask, generator: Generator, learned: Sequence[int], codes: Tensor, samples: Tensor
) -> Known:
    """Read what the settings name.

    Args:
        task: with its settings.
        generator: encodes the held-out images.
        learned: indices of training images.
        codes: (N, D) theirs.
        samples: (M, D) of images that nobody has seen, of which brightness and contrast are known, too.

    Raises:
        InputError: a column that there is not, is hardly filled, or is the same for all.
    """
    names = task.settings.direction.confounders
    if not names:
        return Known(projector(generator.statistics, ()), (), (), ())
    held = task.split.validation
    images = Images(task.samples, task.preparation, 0.0)
    with torch.no_grad():
        parts = [held[start : start + 64] for start in range(0, len(held), 64)]
        encoded = torch.cat(
            [generator.encode(torch.stack([images[i] for i in part]).to(codes.device)) for part in parts]
        )
        own: list[Confounder] = []
        others: list[Confounder] = []
        taken: list[Confounder] = []
        for name in names:
            found = _of(task, generator, name, learned, codes, samples=samples)
            own += found
            # the rarest level of a category is what the others leave
            taken += found[:-1] if len(found) > 1 else found
            others += _of(task, generator, name, held, encoded, [c.name for c in found])
    return Known(projector(generator.statistics, taken), tuple(taken), tuple(own), tuple(others))


def _of(
    task: CounterfactualTask, generator: Generator, name: str, indices: Sequence[int], codes: Tensor,
    wanted: Sequence[str] | None = None, samples: Tensor | None = None,
) -> list[Confounder]:  # fmt: skip
    """One of a number, one per level of a category; with the names that are wanted, where they are given."""
    columns = {key for sample in task.samples for key in sample.meta}
    if name in _OF_IMAGES and name not in columns:
        codes = codes if samples is None else torch.cat([codes, samples])
        values = torch.cat([_OF_IMAGES[name](generator.decode(part)) for part in torch.split(codes, 64)])
        return [Confounder(name, codes, values)]
    if name not in columns:
        known = [*sorted(columns), *_OF_IMAGES]
        raise InputError(f"direction.confounders: found {name!r}; {suggest(name, known)}")
    cells = [str(task.samples[i].meta.get(name, "")).strip() for i in indices]
    filled = [n for n, cell in enumerate(cells) if cell]
    told = [cells[n] for n in filled]
    if wanted is None:
        _check(name, told, len(cells))
    rows = codes[filled]
    if wanted == [name] or (wanted is None and _numeric(told)):
        return [Confounder(name, rows, codes.new_tensor([_number(name, cell) for cell in told]))]
    levels = [level for level, _ in Counter(sorted(told)).most_common()]
    chosen = [w.removeprefix(f"{name}=") for w in wanted] if wanted is not None else levels
    return [
        Confounder(f"{name}={level}", rows, codes.new_tensor([float(cell == level) for cell in told]))
        for level in chosen
    ]


def _check(name: str, told: Sequence[str], images: int) -> None:
    if len(told) < _LEAST:
        raise InputError(
            f"direction.confounders: {name} is known of {len(told)} of {images} training images, expected {_LEAST} or more"
        )
    if len(set(told)) < 2:
        raise InputError(
            f"direction.confounders: {name} is {told[0]!r} in all {len(told)} training images, expected some that differ"
        )
    if not _numeric(told) and len(set(told)) > len(told) / 2:
        raise InputError(
            f"direction.confounders: {name} has {len(set(told))} values in {len(told)} training images, such as "
            f"{told[0]!r}; expected numbers, or a few categories"
        )


def _numeric(cells: Sequence[str]) -> bool:
    try:
        return bool(torch.isfinite(torch.tensor([float(cell) for cell in cells])).all())
    except ValueError:
        return False


def _number(name: str, cell: str) -> float:
    if not _numeric([cell]):
        raise InputError(
            f"direction.confounders: {name} is {cell!r} in a validation image, expected a number, as in all training images"
        )
    return float(cell)
