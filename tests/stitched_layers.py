"""A layer under sliding windows, the slow way: every window in one graph, autograd through all of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from networks import InstanceNormSegmenter, random_case, smooth_segmenter
from torch import Tensor, nn
from torch.nn import functional as F

from voxplain.engine import Problem
from voxplain.model import Model, Windows
from voxplain.target import AllClasses

MODE = {2: "bilinear", 3: "trilinear"}


class Stitch:
    """Windows of a network over images of one shape, with one layer in view; in double precision."""

    def __init__(self, net: nn.Module, layer: str, shape: tuple[int, ...], windows: Windows) -> None:
        self.net, self.layer, self.shape, self.windows = net, net.get_submodule(layer), shape, windows
        self.roi = windows.sizes(shape)
        missing = [max(r - s, 0) for r, s in zip(self.roi, shape, strict=True)]
        self.before = [m // 2 for m in missing]
        self.amounts = [n for m in missing[::-1] for n in (m // 2, m - m // 2)]
        padded = tuple(s + m for s, m in zip(shape, missing, strict=True))
        steps = [
            r if r == p else max(int(r * (1 - o)), 1)
            for r, p, o in zip(self.roi, padded, windows.overlaps(len(shape)), strict=True)
        ]
        self.places = dense_patch_slices(padded, self.roi, steps, return_slice=True)
        if len(self.places) == 1:
            importance = torch.ones(self.roi, dtype=torch.float64)
        else:
            importance = compute_importance_map(
                self.roi, mode=windows.blend, sigma_scale=windows.sigma_scale, dtype=torch.float64
            )
            importance = torch.as_tensor(importance).reshape(self.roi)
        total = torch.zeros(padded, dtype=torch.float64)
        for where in self.places:
            total[where] += importance
        self.weights = [importance / total[where] for where in self.places]

    def pad(self, image: Tensor) -> Tensor:
        if not any(self.amounts):
            return image
        if self.windows.padding == "constant":
            return F.pad(image, self.amounts, value=self.windows.padding_value)
        return F.pad(image[None], self.amounts, mode=self.windows.padding)[0]

    def unpad(self, array: Tensor) -> Tensor:
        return array[(..., *(slice(b, b + s) for b, s in zip(self.before, self.shape, strict=True)))]

    def run(self, image: Tensor, instead: Sequence[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """The stitched output (K, *shape) and the layer's output (F, *s) of every window."""
        padded, layers = self.pad(image), []

        def hook(_: nn.Module, __: object, out: Tensor) -> Tensor:
            layers.append(out[0] if instead is None else instead[len(layers)])
            return layers[-1][None].clone()

        stitched = 0
        handle = self.layer.register_forward_hook(hook)
        for where, weight in zip(self.places, self.weights, strict=True):
            z = self.net(padded[(slice(None), *where)][None])[0] * weight
            canvas = torch.zeros((len(z), *padded.shape[1:]), dtype=torch.float64)
            canvas[(slice(None), *where)] = z
            stitched = stitched + canvas
        handle.remove()
        return self.unpad(stitched), layers

    def paint(self, pictures: Sequence[Tensor], *, weighted: bool) -> Tensor:
        """(1, *shape): pictures (*s) of all windows, interpolated and added."""
        padded = [s + b for s, b in zip(self.shape, self.before, strict=True)]
        stop = [max(w[a].stop for w in self.places) for a in range(len(padded))]
        canvas = torch.zeros((1, *stop), dtype=torch.float64)
        for where, weight, picture in zip(self.places, self.weights, pictures, strict=True):
            fine = F.interpolate(
                picture[None, None], size=self.roi, mode=MODE[len(self.roi)], align_corners=False
            )[0]
            piece = torch.zeros_like(canvas)
            piece[(slice(None), *where)] = fine * weight if weighted else fine
            canvas = canvas + piece
        return self.unpad(canvas)


def scores(z: Tensor, clean: Tensor, score: str) -> Tensor:
    """(K, *shape) -> (K,): the mean of each class's score over its frozen predicted region, written out."""
    label, out = clean.argmax(0), []
    for c in range(len(clean)):
        others = clean.clone()
        others[c] = -torch.inf
        value = {
            "logit": z[c],
            "margin": z[c] - z.gather(0, others.argmax(0)[None])[0],
            "log_probability": F.log_softmax(z, 0)[c],
            "probability": F.softmax(z, 0)[c],
        }[score]
        out.append(value[label == c].mean())
    return torch.stack(out)


def setup(
    shape: tuple[int, ...], windows: Windows, score: str = "logit", kind: str = "deep", **kwargs: object
) -> tuple[Problem, Stitch, str]:
    """A problem of three classes, the slow way to see its layer, and that layer's name.

    ``deep`` has a coarse layer that feeds an in-place activation, with a way round it; ``plain`` has neither.
    """
    dims = len(shape)
    net = (InstanceNormSegmenter(dims) if kind == "deep" else smooth_segmenter(dims)).double().eval()
    layer = "down.0" if kind == "deep" else "0"
    net.requires_grad_(False)
    problem = Problem(
        Model(net, spatial_dims=dims, windows=windows),
        random_case(shape),
        AllClasses(background=True, score=score),
        dtype=torch.float64,
        **kwargs,
    )
    assert problem.present == [0, 1, 2]
    return problem, Stitch(net, layer, shape, windows), layer
