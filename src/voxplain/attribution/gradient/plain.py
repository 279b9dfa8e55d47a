"""The gradient with respect to the image, by itself and times the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from voxplain.attribution.method import Method, Result, register
from voxplain.attribution.streamed import Streamed
from voxplain.engine import Problem
from voxplain.engine.samplers import clean


@register
@dataclass(frozen=True)
class Gradient(Method):
    """∂F/∂x: how much the score changes per unit of intensity at each voxel.

    Simonyan et al. 2013, "Deep inside convolutional networks".

    >>> import numpy as np, torch, voxplain as vx
    >>> network = torch.nn.Conv2d(1, 2, 1)  # bright: twice the intensity
    >>> network.weight.data = torch.tensor([0.0, 2.0]).reshape(2, 1, 1, 1)
    >>> network.bias.data = torch.tensor([1.0, 0.0])
    >>> model = vx.load_model(network, classes=["dark", "bright"])
    >>> case = vx.Case("three voxels", np.array([[[0.0, 1.0, 3.0]]]))
    >>> problem = vx.Problem(model, case, ["bright"])
    >>> Gradient().attribute(problem).map("bright").tolist()  # the score is a mean over two voxels
    [[[0.0, 1.0, 1.0]]]
    """

    name: ClassVar[str] = "gradient"
    aliases: ClassVar[tuple[str, ...]] = (
        "saliency",
        "vanilla_gradient",
    )
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Gradient (saliency)"
    source: ClassVar[str] = "Simonyan et al. 2013, arXiv:1312.6034"
    needs: ClassVar[tuple[str, ...]] = ("gradients",)
    reads: ClassVar[str] = "positive: brighter here raises the score; negative: lowers it"

    def streamed(self, problem: Problem) -> Streamed:
        del problem
        return Streamed(lambda p: clean(p.padded), self.name)

    def compute(self, problem: Problem) -> Result:
        found = self.streamed(problem).maps(problem)
        return Result(found.maps, found.scores[0], "score per unit of intensity")


@register
@dataclass(frozen=True)
class InputXGradient(Method):
    """x · ∂F/∂x: the first-order contribution of each voxel's intensity, measured from zero.

    Shrikumar et al. 2016, "Not just a black box".
    """

    name: ClassVar[str] = "input_x_gradient"
    aliases: ClassVar[tuple[str, ...]] = (
        "gradient_x_input",
        "grad_times_image",
    )
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Input × gradient"
    source: ClassVar[str] = "Shrikumar et al. 2016, arXiv:1605.01713"
    needs: ClassVar[tuple[str, ...]] = ("gradients",)
    reads: ClassVar[str] = "positive: this voxel's intensity speaks for the score, to first order"

    def streamed(self, problem: Problem) -> Streamed:
        return Streamed(lambda p: clean(p.padded), self.name, times=problem.image)

    def compute(self, problem: Problem) -> Result:
        found = self.streamed(problem).maps(problem)
        return Result(found.maps, found.scores[0], "score")
