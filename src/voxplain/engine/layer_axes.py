"""Which axis of a layer's output counts its features, and which are the image's.

Convolutions answer (N, F, *s), but LayerNorm, Linear and the blocks around them often (N, *s, F), and one cannot be
told from the other by its shape. So the network is run on fake tensors with the image longer along one axis at a time:
the output's axis that grows is that axis of the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules import batchnorm, conv, pooling

from voxplain.engine.fake import Fed, fake_input, faked
from voxplain.errors import ModelError, VoxplainError
from voxplain.model.heads import flatten

if TYPE_CHECKING:
    from voxplain.engine.problem import Problem

Shape = tuple[int, ...]
# An axis is made longer than this, so that even a deep layer of a small image grows.
LONG = 64
# These take the second axis for the features, whatever it is.
_FIRST = (
    conv._ConvNd,
    batchnorm._NormBase,
    nn.GroupNorm,
    pooling._MaxPoolNd,
    pooling._AvgPoolNd,
    pooling._AdaptiveAvgPoolNd,
    pooling._AdaptiveMaxPoolNd,
)
# These mostly take the last.
_LAST = (nn.Linear, nn.LayerNorm, *([nn.RMSNorm] if hasattr(nn, "RMSNorm") else []))


@dataclass(frozen=True)
class Axes:
    """How a layer's own output becomes (N, F, *s).

    Attributes:
        order: its axes in that order; ``None`` where it is so already.
    """

    order: Shape | None = None

    def bring(self, output: Tensor) -> Tensor:
        """The layer's output -> (N, F, *s), a view."""
        return output.permute(self.order) if self.order and output.dim() == len(self.order) else output

    def back(self, brought: Tensor) -> Tensor:
        """(N, F, *s) -> as the network goes on with it, a view."""
        if not self.order or brought.dim() != len(self.order):
            return brought
        return brought.permute([self.order.index(axis) for axis in range(len(self.order))])

    def laid_out(self, brought: Tensor) -> Tensor:
        """`back`, in memory as a layer gives it, since a network may look at it through ``view``."""
        return self.back(brought).contiguous() if self.order else brought


AS_IT_IS = Axes()


@dataclass(frozen=True)
class Seen:
    """A module's first output: its shape, and whether it is made from the image."""

    shape: Shape
    fed: bool = True


@dataclass(frozen=True)
class Evidence:
    """What runs on images of several sizes showed.

    Attributes:
        image: spatial shape of the smallest of them.
        base: per module, its output for that image.
        longer: per axis of the image, the same with a longer one; modules that were not reached are missing.
        rest: what is known of modules that none of these passes reached.
    """

    image: Shape
    base: Mapping[str, Seen] = field(default_factory=dict)
    longer: Sequence[Mapping[str, Seen]] = ()
    rest: Evidence | None = None

    def grown(self, name: str) -> dict[int, set[int]]:
        """Per axis of the image that tells something, the axes of the module's output that grow with it."""
        own = self.base[name].shape
        found: dict[int, set[int]] = {}
        for axis, runs in enumerate(self.longer):
            other = runs[name].shape if name in runs else own
            if len(other) == len(own):
                found[axis] = {i for i in range(1, len(own)) if other[i] != own[i]}
        return {axis: grown for axis, grown in found.items() if grown}


def layer_axes(problem: Problem, name: str) -> Axes:
    """How to read the output of a layer.

    Raises:
        ModelError: it is not made from the image, or it cannot be told which axis counts its features.
    """
    evidence = problem.once("axes of layers", lambda: examine(problem))
    if name not in evidence.base and evidence.rest is not None:
        evidence = evidence.rest
    seen, dims = evidence.base.get(name), len(problem.spatial_shape)
    if seen is not None and not seen.fed:
        raise ModelError(
            f"layer {name!r}: its output does not depend on the image (it may make a weight or an embedding of places); "
            "choose a layer that the image passes through"
        )
    if seen is None or len(seen.shape) != dims + 2 or seen.shape[0] != (problem.model.fixed_batch or 1):
        return AS_IT_IS  # the pass itself shows why it is no map
    return _moved(evidence, name, dims) or _resting(
        evidence, name, dict(problem.model.module.named_modules())
    )


def _moved(evidence: Evidence, name: str, dims: int) -> Axes | None:
    """From the axes that grow with the image; ``None`` where none does."""
    grown = evidence.grown(name)
    if not grown:
        return None
    if all(len(axes) == 1 for axes in grown.values()):
        own = {axis: next(iter(axes)) for axis, axes in grown.items()}
        if all(place == axis + 2 for axis, place in own.items()):
            return AS_IT_IS
        if all(place == axis + 1 for axis, place in own.items()):
            return Axes((0, dims + 1, *range(1, dims + 1)))
        if len(set(own.values())) == dims:
            (features,) = set(range(1, dims + 2)) - set(own.values())
            return Axes((0, features, *(own[axis] for axis in range(dims))))
    raise ModelError(
        f"layer {name!r}: its output of shape {evidence.base[name].shape} is no map of the image: with a longer image its "
        "axes grow in another way (attention does so); choose a convolutional layer (voxplain inspect lists them)"
    )


def _resting(evidence: Evidence, name: str, modules: Mapping[str, nn.Module]) -> Axes:
    """Where the network takes one size only, or brings every image to one: from its modules and the shape."""
    shape, dims = evidence.base[name].shape, len(evidence.image)
    suspects = (n for n, m in modules.items() if isinstance(m, _LAST) and n in evidence.base)
    if isinstance(modules.get(name), _FIRST) or not any(
        len(evidence.base[n].shape) == dims + 2 for n in suspects
    ):
        return AS_IT_IS
    first, last = _scaled(shape[2:], evidence.image), _scaled(shape[1:-1], evidence.image)
    if first != last:
        return AS_IT_IS if first else Axes((0, dims + 1, *range(1, dims + 1)))
    raise ModelError(
        f"layer {name!r}: whether its output of shape {shape} is (N, features, *spatial) or (N, *spatial, features) cannot "
        "be told, since the network takes images of one size only; choose a convolution, or let the layer's output "
        "pass through nn.Identity as (N, features, *spatial) and name that"
    )


def _scaled(places: Shape, image: Shape) -> bool:
    """Whether they may be the image's axes, all made smaller by the same factor up to rounding."""
    least = max(size / (n + 1) for size, n in zip(image, places, strict=True))
    most = min(size / (n - 1) if n > 1 else float("inf") for size, n in zip(image, places, strict=True))
    return least < most


def examine(problem: Problem) -> Evidence:
    """Run the network on fake tensors, once as it is and once per axis of the image with that one longer."""
    image = tuple(s.stop - s.start for s in problem.plan.where(0))
    sizes = [image]
    for axis, n in enumerate(image):
        sizes.append((*image[:axis], n * max(2, -(-LONG // n)), *image[axis + 1 :]))
    try:
        with problem.runner.session(), faked(problem.model) as module, torch.no_grad():
            base, *longer = [_outputs(problem, module, size) for size in sizes]
    except Exception:  # noqa: BLE001  any network may refuse fake tensors
        base, longer = {}, []
    # the network itself is entered where its pass came to the end
    return Evidence(image, base, longer, rest=None if "" in base else _listed(problem))


def _outputs(problem: Problem, module: nn.Module, size: Shape) -> dict[str, Seen]:
    """Per submodule its first output, as far as the pass went."""
    count = problem.model.fixed_batch or 1
    x = fake_input(problem.model, (count, problem.image.shape[0], *size))
    seen: dict[str, Seen] = {}
    handles = []
    with Fed(x) as fed:
        for name, part in module.named_modules():

            def note(_: nn.Module, __: Any, out: Any, name: str = name) -> None:
                if name and isinstance(out, Tensor):
                    seen.setdefault(name, Seen(tuple(out.shape), fed.reached(out)))

            handles.append(part.register_forward_hook(note))
        try:
            out = next(flatten(module(x)))[1]
            seen[""] = Seen(tuple(out.shape))
        except Exception:  # noqa: BLE001  it may not take this size; what it did before counts
            pass
        finally:
            for handle in handles:
                handle.remove()
    return seen


def _listed(problem: Problem) -> Evidence:
    """Shapes from one small pass, for networks that do not run on fake tensors."""
    try:
        layers = problem.model.layers()
    except VoxplainError:
        return Evidence(tuple(problem.spatial_shape))
    assert problem.model.input_seen is not None
    return Evidence(tuple(problem.model.input_seen[1:]), {layer.name: Seen(layer.shape) for layer in layers})
