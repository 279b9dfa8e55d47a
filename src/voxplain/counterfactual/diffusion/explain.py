"""An image on its way to the other decision by guided denoising."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor

from voxplain.counterfactual.diffusion.generator import DiffusionGenerator
from voxplain.counterfactual.diffusion.guidance import Goal, Guidance, Led
from voxplain.counterfactual.diffusion.inversion import denoised
from voxplain.counterfactual.diffusion.places import changed_most
from voxplain.counterfactual.direction.queries import Scorer, scored
from voxplain.counterfactual.dose import Calibrated, calibrate
from voxplain.counterfactual.explain import CHANGED
from voxplain.counterfactual.path import CounterfactualPath, Fact

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)  # of the calibrated dose, at which frames are shown
HALVINGS = 5  # of an interval between two doses that are scanned
_AT_ONCE = 2**20  # voxels that are guided together
Mask = Tensor | Literal["auto"] | None


@dataclass(frozen=True, eq=False)
class DiffusionExplainer:
    """A diffusion, a classifier, and how hard its gradient may push.

    Args:
        generator: of images like those that are explained.
        scorer: (N, C, *S) to (N,) logits, with a gradient to the images.
        spread: standard deviation of logits of images; a dose is guidance of dose / spread. In a normal world with a linear
            classifier, guided from pure noise, an image then moves by dose standard deviations of plausible images.
        limit: the largest dose that is tried.
        scan: doses that are tried before bisection.
        reinject: add to every frame what the diffusion cannot make of the image.
        share, margin: of places that are found automatically, see `changed_most`.
        boundary: the score between the two decisions.
    """

    generator: DiffusionGenerator
    scorer: Scorer
    spread: float
    limit: float = 6.0
    scan: int = 12
    reinject: bool = True
    share: float = 0.1
    margin: int = 1
    boundary: float = 0.0
    name: ClassVar[str] = "guidance"

    def explain(self, x: Tensor, target: float, mask: Mask = None) -> CounterfactualPath:
        """The series of images from x to a score, and beyond.

        Args:
            x: one image (C, *S), prepared as for generator and scorer.
            target: the score to reach.
            mask: (1, *S) bool, where alone something may change, bit by bit; ``"auto"``: where most changes without bounds.

        Returns:
            frames, doses and scores, and at the calibrated dose the map ``difference`` (C, *S), which is withheld where the
            copy gets another decision.
        """
        with torch.no_grad():
            begins = float(scored(self.scorer, x[None])[0])
        sign = 1.0 if target >= begins else -1.0
        where = mask
        if isinstance(where, str):
            free = self.way(x, None, begins, target)
            dose = self._calibrated(free, x, target, sign).dose
            moved = self.frames(free, x, sign * dose.to(x))[0] - x
            where = changed_most(moved, share=self.share, margin=self.margin)
        way = self.way(x, where, begins, target)
        found = self._calibrated(way, x, target, sign)
        doses = found.dose.to(x) * torch.tensor(SHARES, device=x.device)
        images = self.frames(way, x, sign * doses)
        images[0] = x if self.reinject else way.copy
        with torch.no_grad():
            scores = scored(self.scorer, images)
        return self._path(x, way, images, doses, scores, target, found, begins)

    def back(self, path: CounterfactualPath) -> Tensor:
        """(C, *S) what comes of the end of a path, pushed back as hard from its own noise in the same places."""
        sign = 1.0 if path.target >= float(path.scores[0]) else -1.0
        at, places = SHARES.index(1.0), path.maps.get("places")
        end, where = path.frames[at], None if places is None else places > 0
        way = self.way(end, where, float(path.scores[at]), float(path.scores[0]))
        return self.frames(way, end, -sign * path.doses[at][None])[0]

    def told(self, score: float) -> DiffusionGenerator:
        """The family as it copies an image of this score; all alike where it knows nothing of scores."""
        return self.generator

    def guidance(self, score: float, target: float) -> Led:
        """How steps lean, of an image of a score on its way to another one, which a gradient need not know."""
        return Guidance(self.generator.denoiser, self.generator.schedule, self._goal, spread=self.spread)

    def way(self, x: Tensor, where: Tensor | None, score: float, target: float) -> Way:
        """The image's noise, its copy, and how it is guided.

        Args:
            x: (C, *S).
            where: (1, *S) bool, or None of all places.
            score: of the image.
            target: the score to reach.
        """
        generator = self.told(score)
        latents = generator.latents(x[None])
        kept = None if where is None else (where[None], latents)
        down = partial(denoised, generator.noise, generator.schedule, level=generator.level, kept=kept)
        copy = generator.denoiser.outside(down(x=latents[-1]))[0]
        if where is not None:
            copy = torch.where(where, copy, x)
        return Way(latents[-1], down, self.guidance(score, target), copy, where)

    def frames(self, way: Way, x: Tensor, doses: Tensor) -> Tensor:
        """(F, C, *S) at signed doses (F,)."""
        at_once = max(1, _AT_ONCE // x.numel())
        parts = [self._guided(way, x, part) for part in torch.split(doses, at_once)]
        return torch.cat(parts)

    def _guided(self, way: Way, x: Tensor, doses: Tensor) -> Tensor:
        begin = way.noise.expand(len(doses), *x.shape)
        moved = way.down(x=begin, guide=way.guidance.by(doses))
        images = self.generator.denoiser.outside(moved)
        images = images + (x - way.copy) if self.reinject else images
        # the scale of the denoiser rounds, what lies outside must not
        return images if way.where is None else torch.where(way.where, images, x)

    def _goal(self, clean: Tensor) -> Tensor:
        return self.scorer(self.generator.denoiser.outside(clean))

    def _calibrated(self, way: Way, x: Tensor, target: float, sign: float) -> Calibrated:
        def score(doses: Tensor) -> Tensor:
            with torch.no_grad():
                return scored(self.scorer, self.frames(way, x, sign * doses.to(x)))

        wanted = torch.full((1,), float(target), dtype=x.dtype, device=x.device)
        tolerance = self.limit / self.scan / 2**HALVINGS * 1.001  # so that rounding does not ask for one more
        return calibrate(score, wanted, limit=self.limit, scan=self.scan, tolerance=tolerance)

    def _path(
        self, x: Tensor, way: Way, images: Tensor, doses: Tensor, scores: Tensor, target: float, found: Calibrated,
        begins: float,
    ) -> CounterfactualPath:  # fmt: skip
        at = SHARES.index(1.0)
        with torch.no_grad():
            as_copied = float(scored(self.scorer, way.copy[None])[0])
        change, plausible = images[at] - images[0], self.generator.plausible
        before, after = (float(plausible.distance(image.flatten()[None])[0]) for image in (x, images[at]))
        kept = (as_copied > self.boundary) == (begins > self.boundary)
        dose = float(found.dose)
        facts: dict[str, Fact] = {
            "logit before": float(scores[0]), "logit after": float(scores[at]), "dose": dose,
            "reached": bool(found.reached), "monotone": bool(found.monotone), "direction": self.name,
            "logit of the copy": as_copied, "error of the copy": float((x - way.copy).abs().mean()),
            "change": float(change.abs().mean()), "distance before": before, "distance after": after,
            "typical distance": plausible.rank**0.5,
            "edited share": 1.0 if way.where is None else float(way.where.double().mean()),
        }  # fmt: skip
        reason = CHANGED.format(copy=as_copied, image=begins)
        maps = {"difference": change} if kept else {}
        maps |= {} if way.where is None else {"places": way.where.to(x)}
        withheld = {} if kept else {"difference": reason}
        return CounterfactualPath(
            images, doses, scores, float(target), dose, bool(found.reached), bool(found.monotone), maps, facts, withheld
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Way:
    """One image's way down.

    Attributes:
        noise: (1, C, *S) where it begins, on the denoiser's scale.
        down: from there to an image, given noise and guide.
        guidance: of the steps.
        copy: (C, *S) what comes without guidance.
        where: (1, *S) bool of places that may change; None of all.
    """

    noise: Tensor
    down: Callable[..., Tensor]
    guidance: Led
    copy: Tensor
    where: Tensor | None

    def led_by(self, null: Goal) -> Way:
        """The same way, pushed as hard towards another goal."""
        return replace(self, guidance=self.guidance.led_by(null))
