"""CAMs the slow way: every window by itself, autograd through the whole stitched network, nothing shared."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from networks import InstanceNormSegmenter, classifier, random_case
from torch import Tensor, nn
from torch.nn import functional as F

from voxplain.engine import Problem
from voxplain.model import Model, Windows
from voxplain.target import AllClasses

MODE = {2: "bilinear", 3: "trilinear"}


class Slow:
    """A network over windows, its scores and one of its layers.

    The target of class c is the mean over the voxels where the clean stitched output is largest for c, the rival
    of a margin the second largest there; of a classifier, its output for c.
    """

    def __init__(
        self, net: nn.Module, layer: str, image: Tensor, windows: Windows, kind: str = "logit"
    ) -> None:
        self.net, self.layer, self.image, self.kind = net, layer, image, kind
        shape = tuple(image.shape[1:])
        self.roi = shape if windows.roi is None else windows.sizes(shape)
        missing = [max(r - s, 0) for r, s in zip(self.roi, shape, strict=True)]
        self.pads = [(m // 2, m - m // 2) for m in missing]
        self.inner = tuple(slice(b, b + s) for (b, _), s in zip(self.pads, shape, strict=True))
        self.padding = (windows.padding, windows.padding_value)
        padded = tuple(self.padded(image).shape[1:])
        overlaps = windows.overlaps(len(shape))
        steps = [
            r if r == p else max(int(r * (1 - o)), 1)
            for r, p, o in zip(self.roi, padded, overlaps, strict=True)
        ]
        self.places = list(dense_patch_slices(padded, self.roi, steps, return_slice=True))
        weight = torch.ones(self.roi, dtype=torch.float64)
        if len(self.places) > 1:
            scale = windows.sigma_scale
            weight = torch.as_tensor(
                compute_importance_map(self.roi, mode=windows.blend, sigma_scale=scale, dtype=torch.float64)
            ).reshape(self.roi)
        self.total = torch.zeros(padded, dtype=torch.float64)
        for where in self.places:
            self.total[where] += weight
        self.omega = [weight / self.total[where] for where in self.places]
        z, self._kept = self.run(image)
        self.clean = z.detach()
        self.value = self.scores(z)
        self.activations = [a[0].detach().numpy() for a in self._kept]

    def padded(self, image: Tensor) -> Tensor:
        amounts = [n for pair in self.pads[::-1] for n in pair]
        mode, value = self.padding
        if not any(amounts):
            return image
        return F.pad(image[None], amounts, mode, **({"value": value} if mode == "constant" else {}))[0]

    def run(
        self, image: Tensor, change: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Stitched output (K, *S), or (K,), and the layer's outputs, one per window."""
        kept: list[Tensor] = []

        def hook(m: nn.Module, i: object, o: Tensor) -> Tensor | None:
            kept.append(o)
            return None if change is None else change(o)

        handle = self.net.get_submodule(self.layer).register_forward_hook(hook)
        x = self.padded(image)
        outputs = [self.net(x[(slice(None), *where)][None])[0] for where in self.places]
        handle.remove()
        if outputs[0].dim() == 1:
            return outputs[0], kept
        z = torch.zeros((len(outputs[0]), *self.total.shape), dtype=torch.float64)
        for where, omega, output in zip(self.places, self.omega, outputs, strict=True):
            z[(slice(None), *where)] += output * omega
        return z[(slice(None), *self.inner)], kept

    def scores(self, z: Tensor) -> Tensor:
        """(T,) with T = K."""
        labels, found = self.clean.argmax(0), []
        for c in range(len(z)):
            others = self.clean.clone()
            others[c] = -torch.inf
            rival = z.gather(0, others.argmax(0)[None])[0]
            score = {
                "logit": z[c],
                "margin": z[c] - rival,
                "probability": z.softmax(0)[c],
                "log_probability": z.log_softmax(0)[c],
            }[self.kind]
            found.append(score if z.dim() == 1 else score[labels == c].mean())
        return torch.stack(found)

    def used(self, t: int) -> list[int]:
        """Windows that the target touches."""
        if self.clean.dim() == 1:
            return [0]
        region = torch.zeros(self.total.shape, dtype=torch.bool)
        region[self.inner] = self.clean.argmax(0) == t
        return [w for w, where in enumerate(self.places) if region[where].any()]

    def gradients(self, t: int) -> list[np.ndarray]:
        """∂F_t / ∂A of every window."""
        return [g[0].numpy() for g in torch.autograd.grad(self.value[t], self._kept, retain_graph=True)]

    def upsampled(self, coarse: np.ndarray) -> Tensor:
        """(*s) -> (*roi)."""
        picture = torch.from_numpy(np.ascontiguousarray(coarse))[None, None]
        return F.interpolate(picture, size=self.roi, mode=MODE[len(self.roi)], align_corners=False)[0, 0]

    def painted(self, pictures: dict[int, np.ndarray], weighted: bool) -> Tensor:
        """Pictures of windows summed on the image, with or without the windows' blending weights: (1, *S)."""
        out = torch.zeros(self.total.shape, dtype=torch.float64)
        for w, picture in pictures.items():
            out[self.places[w]] += self.upsampled(picture) * (self.omega[w] if weighted else 1.0)
        return out[self.inner][None]

    def combined(self, weights: np.ndarray, t: int, relu: bool = True) -> Tensor:
        """ReLU(Σ_k α_k A_k) of the target's windows, blended."""
        pictures = {w: np.tensordot(weights, self.activations[w], axes=1) for w in self.used(t)}
        return self.painted({w: np.maximum(p, 0) if relu else p for w, p in pictures.items()}, weighted=True)


LAYOUTS = {
    "2d-whole": ((8, 12), Windows()),
    "3d-whole": ((6, 8, 4), Windows()),
    "2d-constant": ((10, 13), Windows(roi=(6, 8), overlap=0.5)),
    "2d-gaussian": ((11, 12), Windows(roi=6, overlap=0.25, blend="gaussian")),
    "2d-reflect": ((5, 12), Windows(roi=8, overlap=0.3, padding="reflect")),
    "3d-gaussian": ((8, 10, 6), Windows(roi=(6, 6, 4), overlap=0.5, blend="gaussian")),
    "3d-padded": ((5, 9, 8), Windows(roi=(8, 6, 8), overlap=0.25, padding_value=-0.7)),
}
SCORES = ["logit", "margin", "probability", "log_probability"]


def segmentation(
    layout: str, layer: str = "down.1", score: str = "logit", **kwargs: object
) -> tuple[Problem, Slow]:
    """A coarse layer over windows, three classes, in double precision."""
    shape, windows = LAYOUTS[layout]
    net = InstanceNormSegmenter(len(shape)).double().eval()
    net.down[2].inplace = False
    problem = Problem(
        Model(net, spatial_dims=len(shape), windows=windows),
        random_case(shape),
        AllClasses(background=True, score=score),
        dtype=torch.float64,
        **kwargs,
    )
    assert problem.present == [0, 1, 2]
    return problem, Slow(net, layer, problem.image, windows, score)


def classification(
    dims: int, layer: str = "3", score: str = "logit", channels: int = 2
) -> tuple[Problem, Slow]:
    shape = (8, 12) if dims == 2 else (6, 8, 4)
    net = classifier(dims, channels).double().eval()
    problem = Problem(
        Model(net, spatial_dims=dims),
        random_case(shape, channels),
        AllClasses(score=score),
        dtype=torch.float64,
    )
    return problem, Slow(net, layer, problem.image, Windows(), score)


def agree(found: object, problem: Problem, truth: Callable[[int], Tensor]) -> None:
    """Every target's map, its score and its status."""
    for t in problem.present:
        expected = truth(t)
        torch.testing.assert_close(found.values(t), expected, rtol=1e-8, atol=1e-11)
        assert found.answers[t].status == ("ok" if expected.any() else "zero")


def differ(maps: list[Tensor]) -> bool:
    """Whether no two neighbours are the same map."""
    return all(not torch.allclose(a, b) for a, b in pairwise(maps))
