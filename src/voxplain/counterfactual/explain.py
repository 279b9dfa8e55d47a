"""An image on its way through a family of images to the model's other answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.counterfactual.direction.direction import Direction
from voxplain.counterfactual.direction.queries import Scorer, scored
from voxplain.counterfactual.dose import Calibrated, calibrate
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.path import CounterfactualPath, Fact
from voxplain.errors import InputError

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)  # of the calibrated dose, at which frames are shown
CHANGED = "the generator's own copy of the image has a score of {copy:.3g} where the image has {image:.3g}: another decision"
Way = Direction | Callable[[Tensor], Direction]


@dataclass(frozen=True, eq=False)
class LatentExplainer:
    """A generator, a model, and the way along which the model's score changes.

    Args:
        generator: of images like those that are explained.
        scorer: (N, C, *S) to (N,) logits, above 0 the one decision, below 0 the other. Never asked for a gradient.
        way: a direction for all images, or what makes one for a code (D,).
        limit: the largest dose that is tried, in standard deviations of plausible images.
        reinject: add to every frame what the generator cannot make of the image, so that it is the image that is changed and
            not a copy of it.
        boundary: the score between the two decisions.
    """

    generator: Generator
    scorer: Scorer
    way: Way
    limit: float = 6.0
    reinject: bool = True
    boundary: float = 0.0

    def explain(self, x: Tensor, target: float) -> CounterfactualPath:
        """The series of images from x to a score, and beyond.

        Args:
            x: one image (C, *S), prepared as for model and generator.
            target: the score to reach, best that of a typical image of the other decision.

        Returns:
            frames, doses (standard deviations of plausible images) and scores, and at the calibrated dose the map
            ``difference`` (C, *S). It is withheld where the generator's own copy of the image gets another decision: then
            the family does not hold what the model looks at.
        """
        with torch.no_grad():
            code = self.generator.encode(x[None])
            copy = self.generator.decode(code)
        way = self.way if isinstance(self.way, Direction) else self.way(code[0])
        with torch.no_grad():
            begins, as_copied = (float(scored(self.scorer, image)) for image in (x[None], copy))
            sign = 1.0 if target >= begins else -1.0
            rest = x[None] - copy if self.reinject else torch.zeros_like(copy)

            def frames(doses: Tensor) -> Tensor:
                codes = code + sign * doses[:, None].to(code) * way.vector
                return self.generator.decode(codes) + rest

            wanted = torch.full((1,), float(target), dtype=x.dtype, device=x.device)
            found = calibrate(lambda dose: scored(self.scorer, frames(dose)), wanted, limit=self.limit)
            doses = found.dose.to(x) * torch.tensor(SHARES, device=x.device)
            images = frames(doses)
            if self.reinject:
                images[0] = x  # not even rounded
            scores = scored(self.scorer, images)
        return self._path(x, copy, code, way, images, doses, scores, float(target), found, as_copied)

    def back(self, path: CounterfactualPath) -> Tensor:
        """(C, *S) what comes of the end of a path when it goes as far back, by a code of its own and its own way.

        Where no way is found from there, the image's own is taken.
        """
        begins = float(path.scores[0])
        sign = 1.0 if path.target >= begins else -1.0
        end = path.frames[int((path.doses - path.dose).abs().argmin())][None]
        with torch.no_grad():
            code = self.generator.encode(end)
            first = self.generator.encode(path.frames[:1])
        try:
            way = self.way if isinstance(self.way, Direction) else self.way(code[0])
        except InputError:
            way = self.way if isinstance(self.way, Direction) else self.way(first[0])
        with torch.no_grad():
            rest = end - self.generator.decode(code) if self.reinject else torch.zeros_like(end)
            found: Tensor = (self.generator.decode(code - sign * path.dose * way.vector) + rest)[0]
        return found

    def _path(
        self, x: Tensor, copy: Tensor, code: Tensor, way: Direction, images: Tensor, doses: Tensor, scores: Tensor,
        target: float, found: Calibrated, as_copied: float,
    ) -> CounterfactualPath:  # fmt: skip
        last, begins = images[SHARES.index(1.0)], float(scores[0])
        statistics, dose = self.generator.statistics, float(found.dose)
        sign = 1.0 if target >= begins else -1.0
        change = last - images[0]
        kept = (as_copied > self.boundary) == (begins > self.boundary)
        facts: dict[str, Fact] = {
            "logit before": begins, "logit after": float(scores[SHARES.index(1.0)]), "dose": dose,
            "reached": bool(found.reached), "monotone": bool(found.monotone), "direction": way.name,
            "logit of the copy": as_copied, "error of the copy": float((x - copy).abs().mean()),
            "change": float(change.abs().mean()), "distance before": float(statistics.distance(code)[0]),
            "distance after": float(statistics.distance(code + sign * dose * way.vector)[0]),
            "typical distance": statistics.rank**0.5, **{f"direction's {k}": v for k, v in way.facts.items()},
        }  # fmt: skip
        reason = CHANGED.format(copy=as_copied, image=begins)
        return CounterfactualPath(
            images, doses, scores, target, dose, bool(found.reached), bool(found.monotone),
            {"difference": change} if kept else {}, facts, {} if kept else {"difference": reason},
        )  # fmt: skip


def typical_scores(scores: Tensor, boundary: float = 0.0) -> tuple[float, float]:
    """The median score below and above the boundary: where to take an image of the other side.

    Raises:
        InputError: all lie on one side.
    """
    below, above = scores[scores < boundary], scores[scores > boundary]
    if not len(below) or not len(above):
        raise InputError(
            f"scores: found {len(below)} below and {len(above)} above {boundary:g}, expected images of both decisions"
        )
    return float(below.median()), float(above.median())
