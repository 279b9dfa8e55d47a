"""The same explanation where there is nothing to explain: another network's weights, and answers that belong to no image."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from voxplain.case.atomic import write_whole
from voxplain.counterfactual.classifier.black_box import tally_of
from voxplain.counterfactual.classifier.redrawn import redrawn
from voxplain.counterfactual.direction import Direction, Queries, ask, ridge_direction
from voxplain.counterfactual.explain import Way
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.running.case_files import GRID
from voxplain.counterfactual.running.direction_step import way_of
from voxplain.counterfactual.running.queries_step import Asked
from voxplain.counterfactual.running.records import Record
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.errors import VoxplainError

DRAWS, FILE = 5, "controls.json"
NO_WEIGHTS = "not possible: a black box has no weights that could be drawn anew"


@dataclass(frozen=True)
class Control:
    """One way of knowing nothing.

    Attributes:
        name: which.
        r2: median over the draws; None where nothing could be drawn.
        r: median of the absolute correlation of the mean maps with the real ones; None where there are none.
        refused: of the draws, how many would be refused for their R².
        draws: of them.
        remark: why there is none.
    """

    name: str
    r2: float | None
    r: float | None
    refused: int
    draws: int
    remark: str = ""


def controls_of(
    task: CounterfactualTask, generator: Generator, asked: Asked, records: Sequence[tuple[Path, Record]], key: str,
    device: torch.device,
) -> tuple[Control, ...]:  # fmt: skip
    """Controls of the settings; what was found before is only read.

    Images are moved as far as in the real explanation, along the direction that is found in its stead.

    Args:
        task: with its settings.
        generator: of the images.
        asked: what the classifier said.
        records: of the images, with their folders.
        key: of what decides the real explanation.
        device: where.
    """
    if not task.settings.explain.controls:
        return ()
    path = task.places.explanation / FILE
    wanted = [key, [record["key"] for _, record in records]]
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["key"] == wanted:
            return tuple(Control(**control) for control in told["controls"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    own = _Real.of(records, generator, device)
    found = (_weights(task, generator, asked, own, device), _permuted(task, generator, asked, own))
    content = {"key": wanted, "controls": [asdict(control) for control in found]}
    write_whole(path, json.dumps(content, indent=1).encode())
    return found


@dataclass(frozen=True, eq=False)
class _Real:
    """The explained images that are not withheld: codes, signed doses, and the mean change of each way."""

    codes: Tensor
    steps: Tensor
    ways: tuple[str, ...]
    means: dict[str, Tensor]

    @classmethod
    def of(cls, records: Sequence[tuple[Path, Record]], generator: Generator, device: torch.device) -> _Real:
        codes, steps, ways, changes = [], [], [], []
        for place, record in records:
            if record["withheld"] or not record["reached"]:
                continue
            with np.load(place / GRID) as stored:
                before, after = (torch.from_numpy(stored[name]).to(device) for name in ("before", "after"))
            with torch.no_grad():
                codes.append(generator.encode(before[None])[0])
            steps.append(record["dose"] * (1.0 if record["target"] >= record["logit before"] else -1.0))
            ways.append(record["towards"])
            changes.append(after - before)
        means = {
            way: torch.stack([c for c, w in zip(changes, ways, strict=True) if w == way]).mean(0)
            for way in set(ways)
        }
        return cls(torch.stack(codes) if codes else torch.zeros(0), torch.tensor(steps), tuple(ways), means)

    def likeness(self, generator: Generator, way: Way) -> float | None:
        """Mean over ways of |r| of the mean change along another direction with the real one."""
        if not self.ways:
            return None
        own = [way if isinstance(way, Direction) else way(code) for code in self.codes]
        moved = self.codes + self.steps.to(self.codes)[:, None] * torch.stack([d.vector for d in own])
        with torch.no_grad():
            change = generator.decode(moved) - generator.decode(self.codes)
        found = []
        for name, mean in self.means.items():
            other = change[[n for n, w in enumerate(self.ways) if w == name]].mean(0)
            both = torch.stack([mean.flatten(), other.flatten()]).double()
            found.append(abs(float(torch.corrcoef(both)[0, 1])))
        return float(np.mean(found))


def _weights(
    task: CounterfactualTask, generator: Generator, asked: Asked, real: _Real, device: torch.device
) -> Control:
    name, seed = "weights drawn anew", task.settings.direction.seed
    if tally_of(task.asked.decision) is not None:
        return Control(name, None, None, 0, 0, NO_WEIGHTS)

    def draws() -> Iterator[tuple[Queries, Callable[[Tensor], Tensor]]]:
        for n in range(DRAWS):
            other = redrawn(task.asked.decision, seed=1000 * seed + n).to(device)
            yield ask(generator, other, asked.queries.codes), other

    return _control(name, task, generator, real, draws())


def _permuted(task: CounterfactualTask, generator: Generator, asked: Asked, real: _Real) -> Control:
    def draws() -> Iterator[tuple[Queries, Callable[[Tensor], Tensor] | None]]:
        for n in range(DRAWS):
            order = np.random.default_rng([task.settings.direction.seed, 0xC0, n]).permutation(
                len(asked.queries)
            )
            yield Queries(asked.queries.codes, asked.queries.scores[torch.from_numpy(order)]), None

    return _control("answers exchanged between images", task, generator, real, draws())


def _control(
    name: str, task: CounterfactualTask, generator: Generator, real: _Real,
    draws: Iterator[tuple[Queries, Callable[[Tensor], Tensor] | None]],
) -> Control:  # fmt: skip
    told, shares, likenesses = task.settings.direction, [], []
    try:
        for queries, scorer in draws:
            ridge = ridge_direction(queries, generator.statistics, least_r2=-float("inf"), draws=0)
            shares.append(ridge.facts["r2"])
            # answers that belong to no image have no gradient
            kind = "ridge" if scorer is None and told.kind == "gradient" else told.kind
            way = way_of(
                kind,
                generator,
                queries,
                scorer,
                least_r2=-float("inf"),
                boundary=float(queries.scores.median()),
            )
            likeness = real.likeness(generator, way)
            likenesses += [] if likeness is None else [likeness]
    except VoxplainError as error:
        return Control(name, None, None, 0, 0, f"not possible: {error}")
    refused = sum(share < told.least_r2 for share in shares)
    r = float(np.median(likenesses)) if likenesses else None
    return Control(name, float(np.median(shares)), r, refused, len(shares))
