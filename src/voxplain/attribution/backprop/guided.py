"""Gradients of which only the positive part is passed on at every activation: sharp pictures of what may excite a unit."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar

from voxplain.attribution.backprop.guided_rules import DeconvolutionRules, GuidedRules, RectifyingRules, told
from voxplain.attribution.cam.gradients import GradCam
from voxplain.attribution.method import Method, Result, register
from voxplain.attribution.streamed import Streamed
from voxplain.engine import Passes, Problem
from voxplain.engine.samplers import clean
from voxplain.model import Model


@register
@dataclass(frozen=True)
class GuidedBackprop(Method):
    """The gradient, of which every activation passes back only the positive part, and only where it is on.

    Springenberg et al. 2015, "Striving for simplicity", section 3.4: through a ReLU goes ``g · 1[x > 0] · 1[g > 0]``.
    For other activations that hold back what is negative (LeakyReLU, PReLU, ELU, GELU, SiLU, ...) nothing is
    published; here ``f'(x) · max(g, 0)`` goes back where ``x > 0``. Sigmoid, tanh and softmax keep their plain gradient.

    Args:
        leak: let ``f'(x) · max(g, 0)`` through where ``x ≤ 0``, too, which changes nothing for ReLU.
    """

    leak: bool = False

    name: ClassVar[str] = "guided_backprop"
    family: ClassVar[str] = "backprop"
    title: ClassVar[str] = "Guided backpropagation"
    source: ClassVar[str] = "Springenberg et al. 2015, arXiv:1412.6806"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "hooks")
    reads: ClassVar[str] = "sharp structures that the score may react to; it hardly depends on the class"

    def streamed(self, problem: Problem) -> Streamed:
        return rectified(GuidedRules(problem.model.module, self.name, leak=self.leak))

    def compute(self, problem: Problem) -> Result:
        rules = GuidedRules(problem.model.module, self.name, leak=self.leak)
        found = rectified(rules).maps(problem)
        return Result(
            found.maps, found.scores[0], "rectified score per unit of intensity", notes=_notes(problem, rules)
        )


@register
@dataclass(frozen=True)
class Deconvolution(Method):
    """The signal that goes back is rectified at every activation, whatever the forward pass saw there.

    Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks": through an activation goes
    ``max(g, 0)``; max pooling keeps its switches, all else its gradient.
    """

    name: ClassVar[str] = "deconvolution"
    family: ClassVar[str] = "backprop"
    title: ClassVar[str] = "Deconvolution"
    source: ClassVar[str] = "Zeiler & Fergus 2014, arXiv:1311.2901"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "hooks")
    reads: ClassVar[str] = (
        "structures that excite the features behind the score; it hardly depends on the image"
    )

    def streamed(self, problem: Problem) -> Streamed:
        return rectified(DeconvolutionRules(problem.model.module, self.name))

    def compute(self, problem: Problem) -> Result:
        rules = DeconvolutionRules(problem.model.module, self.name)
        found = rectified(rules).maps(problem)
        return Result(
            found.maps, found.scores[0], "rectified score per unit of intensity", notes=_notes(problem, rules)
        )


@register
@dataclass(frozen=True)
class GuidedGradCam(Method):
    """Guided backpropagation ⊙ Grad-CAM: fine structures at the places that a layer's features speak for.

    Selvaraju et al. 2017, "Grad-CAM", section 3.2; the Grad-CAM map is rectified, then interpolated linearly.

    Args:
        layer: as for Grad-CAM; by default the last of the deepest ones.
        leak: as for guided backpropagation.
    """

    layer: str | None = None
    leak: bool = False

    name: ClassVar[str] = "guided_grad_cam"
    family: ClassVar[str] = "backprop"
    title: ClassVar[str] = "Guided Grad-CAM"
    source: ClassVar[str] = "Selvaraju et al. 2017, arXiv:1610.02391"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "hooks", "layer")
    reads: ClassVar[str] = "sharp structures where the layer's features speak for the score"

    def check(self, model: Model) -> None:
        super().check(model)
        GradCam(layer=self.layer).check(model)

    def cost(self, problem: Problem) -> Passes:
        return GuidedBackprop().cost(problem) + GradCam(layer=self.layer).cost(problem)

    def compute(self, problem: Problem) -> Result:
        rules = GuidedRules(problem.model.module, self.name, leak=self.leak)
        fine = rectified(rules).maps(problem)
        coarse = GradCam(layer=self.layer).compute(problem)
        fine.maps.transform(lambda t, m: m * coarse.maps[t])
        rule = _notes(problem, rules)
        notes = {t: f"{note}; {rule[t]}" for t, note in coarse.notes.items()}
        return Result(
            fine.maps, fine.scores[0], "rectified score per unit of intensity × Grad-CAM", notes=notes
        )


def rectified(rules: RectifyingRules) -> Streamed:
    """The modified gradient at the clean image; warns where a rule goes beyond the papers."""

    def warn() -> None:
        if rules.beyond:
            warnings.warn(
                f"method {rules.method}: published for ReLU only; this network has {', '.join(rules.beyond)}, to which "
                "voxplain's own extension was applied (see the method's card)",
                stacklevel=3,
            )

    return Streamed(lambda p: clean(p.padded), rules.method, backward=rules, done=warn)


def _notes(problem: Problem, rules: RectifyingRules) -> dict[int, str]:
    return dict.fromkeys(problem.present, told(rules.rectified, rules.untouched, rules.detaches))
