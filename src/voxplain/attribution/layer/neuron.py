"""What in the image drives a feature inside the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from voxplain.attribution.backprop.guided_rules import GuidedRules, RectifyingRules, told
from voxplain.attribution.layer.looks import LayerMethod
from voxplain.attribution.method import Result, register
from voxplain.engine import Passes, Problem
from voxplain.engine.layer_units import UnitGradient, unit_cost
from voxplain.errors import InputError, ModelError


@register
@dataclass(frozen=True)
class NeuronGradient(LayerMethod):
    """∂u/∂x of a feature's mean u over the target's region: which voxels drive a feature of a layer.

    Simonyan et al. 2013, "Deep inside convolutional networks", with a feature inside the network in the place of the
    score. For a segmentation u is the mean over the target's region of the feature map, interpolated to the image and
    blended over windows: the mean of what layer activation paints. A classifier's target has no region; there u is
    the mean of the feature map, the same for every class.

    Args:
        channel: one feature map; by default the mean of all.
        over: ``region`` of the target, or the whole ``image``.
    """

    over: Literal["region", "image"] = "region"

    name: ClassVar[str] = "neuron_gradient"
    title: ClassVar[str] = "Neuron gradient"
    source: ClassVar[str] = "Simonyan et al. 2013, arXiv:1312.6034"
    answer: ClassVar[str] = "map"
    _unit: ClassVar[str] = "activation per unit of intensity"
    reads: ClassVar[str] = "positive: brighter here raises the feature; negative: lowers it"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.over not in ("region", "image"):
            raise InputError(f"{self.name}: found over={self.over!r}, expected one of region, image")

    def cost(self, problem: Problem) -> Passes:
        own = unit_cost(problem, self.over == "image")
        return self._passes(problem, 0, 1) + own + self._search(problem)

    def compute(self, problem: Problem) -> Result:
        view, rules = problem.layer(self.layer), self._rules(problem)
        unit = UnitGradient(view, self._feature, everywhere=self.over == "image", backward=rules)
        before = Rectified(rules)
        with before.watching(view.module):
            found = unit.run(self.name)
        notes = self._notes(problem, view.name, before.note(view.name))
        for t, value in found.values.items():
            where = "the feature map" if problem.layout is None else f"the {self.over}"
            notes[t] += f"; the feature's mean over {where} is {value:.4g}"
        return Result(found.maps, problem.clean_scores(), self._unit, notes=notes)

    def _rules(self, problem: Problem) -> RectifyingRules | None:
        """Another backward pass than the plain gradient's."""
        del problem
        return None

    def _feature(self, activations: Tensor) -> Tensor:
        """(B, F, *s) -> (B, *s)."""
        if self.channel is None:
            return activations.mean(1)
        return activations[:, self._channel(activations.shape[1])]


@register
@dataclass(frozen=True)
class LayerActivationGuidedBackprop(NeuronGradient):
    """The neuron gradient, of which every activation before the layer passes back only the positive part.

    Springenberg et al. 2015, "Striving for simplicity", section 3.4, started at a feature inside the network: sharp
    pictures of what excites it.

    Args:
        leak: as in guided backpropagation.
    """

    leak: bool = False

    name: ClassVar[str] = "layer_activation_guided_backprop"
    title: ClassVar[str] = "Guided backpropagation from a layer's activation"
    source: ClassVar[str] = "Springenberg et al. 2015, arXiv:1412.6806"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "hooks", "layer")
    reads: ClassVar[str] = "sharp structures that may excite the feature"
    _unit: ClassVar[str] = "rectified activation per unit of intensity"

    def _rules(self, problem: Problem) -> RectifyingRules:
        return GuidedRules(problem.model.module, self.name, leak=self.leak)


class Rectified:
    """Which activations a modified pass has rectified before a layer; those after it do not matter."""

    def __init__(self, rules: RectifyingRules | None) -> None:
        self.rules = rules
        self.names: list[str] | None = None
        self.untouched: list[str] = []

    @contextmanager
    def watching(self, module: nn.Module) -> Iterator[None]:
        """Look when the layer first gives its output."""

        def look(*_: Any) -> None:
            if self.names is None and self.rules is not None:
                self.names, self.untouched = list(self.rules.rectified), list(self.rules.untouched)

        handle = module.register_forward_hook(look)
        try:
            yield
        finally:
            handle.remove()

    def note(self, layer: str) -> str:
        """One line for people.

        Raises:
            ModelError: there is none, so that the answer would silently be the plain gradient.
        """
        if self.rules is None:
            return ""
        if not self.names:
            raise ModelError(
                f"method {self.rules.method}: before layer {layer!r} there is no activation to rectify, such as ReLU, so "
                "the answer would be the plain gradient; choose neuron_gradient or a later layer"
            )
        return told(self.names, self.untouched)
