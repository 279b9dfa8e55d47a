"""Activations of a layer and the targets' gradients with respect to them, stitched over windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxplain.engine.samplers import clean
from voxplain.engine.store import MapStore
from voxplain.errors import ModelError

if TYPE_CHECKING:
    from voxplain.engine.problem import Problem

# (target, activations (F, *s), gradient of the target (F, *s)) -> any tensor
Reduce = Callable[[int, Tensor, Tensor], Tensor]
Paint = Callable[[int, Tensor, Tensor], Tensor]
# Activations of all windows are kept between two steps of a method if they take no more than this.
KEPT_BYTES = 1 << 30


class LayerView:
    """One layer of a problem's network.

    Args:
        name: dotted name of a submodule whose output is (N, F, *s); by default the last of the deepest
            spatial layers: a U-Net's bottleneck, a classifier's last feature map.

    Attributes:
        name: the layer's name.

    Raises:
        ModelError: unknown name (the closest are suggested), or a layer without a spatial output.
    """

    def __init__(self, problem: Problem, name: str | None = None) -> None:
        self.problem = problem
        self.name = name or problem.once("default layer", lambda: default_layer(problem))
        self.module = problem.model.layer(self.name)
        self._kept: dict[int, Tensor] = {}

    def gather(self, reduce: Reduce, what: str) -> dict[int, Tensor]:
        """Σ over the target's windows of ``reduce(target, activations, gradient)``."""
        sums: dict[int, Tensor] = {}

        def take(window: int, target: int, activation: Tensor, gradient: Tensor) -> None:
            value = reduce(target, activation, gradient)
            sums[target] = sums[target] + value if target in sums else value

        self._visit(take, what)
        return sums

    def paint(self, draw: Callable[[int, Tensor], Tensor], what: str) -> MapStore:
        """Blend ``draw(target, activations)`` (*s) of the target's windows into maps (1, *spatial).

        Every window's picture is interpolated linearly to the window and weighted as its output is.
        """
        store = self.problem.padded_store(channels=1)
        painted: set[int] = set()  # so that a batch that runs out of memory paints nothing twice

        def paint(window: int, activation: Tensor) -> None:
            targets = self.problem.plan.touching[window]
            pictures = [self._upsample(draw(target, activation)) for target in targets]
            for target, picture in zip(targets, pictures, strict=True):
                self._blend(store, window, target, picture, weighted=True)
            painted.add(window)

        def work(batch: list[int]) -> None:
            x = self._inputs(batch)
            with torch.no_grad(), self._capture() as seen:
                self.problem.runner.forward(x)
            output = self._output(seen)
            for b, window in enumerate(batch):
                if window not in painted:
                    paint(window, _whole_precision(output[b]))

        windows = self.problem.plan.windows(self.problem.present)
        for window in windows:
            if window in self._kept:
                paint(window, self._kept[window])
        with self.problem.runner.session():
            self.problem.runner.each([w for w in windows if w not in self._kept], work, what)
        return self._unpadded(store)

    def _keep(self, window: int, activation: Tensor) -> None:
        """Save a second forward pass where the activations of all windows are small."""
        windows = len(self.problem.plan.windows(self.problem.present))
        if activation.numel() * activation.element_size() * windows <= KEPT_BYTES:
            self._kept[window] = activation.detach().clone()

    def paint_gradient(self, draw: Paint, what: str) -> MapStore:
        """Sum ``draw(target, activations, gradient)`` (*s) of the target's windows into maps (1, *spatial).

        The gradient already carries the blending weights, so the pictures are added as they are.
        """
        store = self.problem.padded_store(channels=1)

        def take(window: int, target: int, activation: Tensor, gradient: Tensor) -> None:
            self._blend(
                store, window, target, self._upsample(draw(target, activation, gradient)), weighted=False
            )

        self._visit(take, what)
        return self._unpadded(store)

    def _visit(self, take: Callable[[int, int, Tensor, Tensor], None], what: str) -> None:
        """Hand activations and gradients of every (window, target) to ``take``; non-linear scores in two phases."""
        problem = self.problem
        problem.runner.check_room(gradient=True)
        scores = torch.full((len(problem.targets),), torch.nan, dtype=torch.float64)
        linear = problem.plan.linear(problem.present)
        rest = [t for t in problem.present if t not in set(linear)]
        with problem.runner.session():
            self._visit_group(linear, {}, scores, take, what)
            for group in problem.engine.groups(rest):
                stitched = problem.engine.stitch(clean(problem.padded), 0, group)
                linked = {}
                for t in group:
                    scores[t], linked[t] = stitched.value(t)
                self._visit_group(group, linked, scores, take, what)
        problem.remember(scores)

    def _visit_group(
        self,
        targets: Sequence[int],
        linked: dict[int, Tensor],
        scores: Tensor,
        take: Callable[[int, int, Tensor, Tensor], None],
        what: str,
    ) -> None:
        problem, wanted = self.problem, set(targets)
        served: set[tuple[int, int]] = set()  # so that a batch that runs out of memory counts nothing twice

        def work(batch: list[int]) -> None:
            x = self._inputs(batch).requires_grad_()
            with torch.enable_grad(), self._capture() as seen:
                z = problem.runner.forward(x)
            output = self._output(seen)
            if not z.requires_grad:
                raise ModelError(
                    f"{problem.model.name}: no gradient leads from its output to layer {self.name!r} (it may take an argmax "
                    "or detach); use a method that needs none, such as occlusion"
                )
            terms = [problem.plan.terms(w) for w in batch]
            for b, window in enumerate(batch):
                self._keep(window, _whole_precision(output[b]))
            shares = [] if linked else [tw.scores(z[b : b + 1])[0].tolist() for b, tw in enumerate(terms)]
            todo = [
                [t for t in tw.terms if t.target in wanted and (tw.window, t.target) not in served]
                for tw in terms
            ]
            rounds = max(map(len, todo))
            for r in range(rounds):
                cotangent = torch.zeros_like(z)
                active = [b for b in range(len(batch)) if r < len(todo[b])]
                for b in active:
                    derivative = problem.engine.derivative(linked, batch[b], todo[b][r].target)
                    cotangent[b] = terms[b].cotangent(todo[b][r], z[b].detach(), derivative)
                (gradient,) = torch.autograd.grad(
                    z, output, cotangent, retain_graph=r + 1 < rounds, allow_unused=True
                )
                if gradient is None:
                    raise ModelError(f"layer {self.name!r}: the network's output does not depend on it")
                problem.runner.passes.backward += len(active)
                for b in active:
                    sums = (_whole_precision(output[b]), _whole_precision(gradient[b]))
                    take(batch[b], todo[b][r].target, *sums)
                    served.add((batch[b], todo[b][r].target))
            for tw, values in zip(terms, shares, strict=False):
                for term, value in zip(tw.terms, values, strict=True):
                    if term.target in wanted:
                        scores[term.target] = scores[term.target].nan_to_num() + value

        windows = problem.plan.windows(targets)
        windows.sort(key=lambda w: -len(wanted.intersection(problem.plan.touching[w])))
        problem.runner.each(windows, work, what)

    def _inputs(self, batch: Sequence[int]) -> Tensor:
        sampler = clean(self.problem.padded)
        x = torch.stack([sampler.input(0, self.problem.plan.where(w)) for w in batch])
        return x.to(self.problem.model.device, self.problem.dtype)

    @contextmanager
    def _capture(self) -> Iterator[list[Tensor]]:
        with capture(self.module, self.name) as seen:
            yield seen

    def _output(self, seen: list[Tensor]) -> Tensor:
        if not seen:
            raise ModelError(
                f"layer {self.name!r}: the network did not run it on this input; choose another layer"
            )
        if len(seen) > 1:
            raise ModelError(
                f"layer {self.name!r}: the network runs it {len(seen)} times in one pass, so it is not one place; "
                "choose a layer that runs once, such as the block around it"
            )
        output = seen[0]
        dims = len(self.problem.spatial_shape)
        if output.dim() != dims + 2:
            raise ModelError(
                f"layer {self.name!r}: its output has shape {tuple(output.shape)}, expected (N, features, *{dims} spatial "
                "axes); choose a convolutional layer (voxplain inspect lists them)"
            )
        return output

    def _upsample(self, picture: Tensor) -> Tensor:
        plan = self.problem.plan
        size = tuple(s.stop - s.start for s in plan.where(0))
        if tuple(picture.shape) == size:
            return picture
        mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[picture.dim()]
        return F.interpolate(picture[None, None], size=size, mode=mode, align_corners=False)[0, 0]

    def _blend(self, store: MapStore, window: int, target: int, picture: Tensor, *, weighted: bool) -> None:
        picture = picture.cpu()
        layout = self.problem.layout
        if weighted and layout is not None:
            picture = picture * layout.weight(window)
        store.add(target, self.problem.plan.where(window), picture[None])

    def _unpadded(self, store: MapStore) -> MapStore:
        layout = self.problem.layout
        if layout is not None:
            store.transform(lambda _, m: layout.unpad(m))
        return store


def _whole_precision(tensor: Tensor) -> Tensor:
    """Detached, and in float32 at least: sums over thousands of places are no work for bfloat16."""
    return tensor.detach() if tensor.dtype == torch.float64 else tensor.detach().float()


@contextmanager
def capture(module: nn.Module, name: str) -> Iterator[list[Tensor]]:
    """Collect a module's outputs; later in-place operations change a copy, not what is collected."""
    seen: list[Tensor] = []

    def hook(_: nn.Module, __: Any, output: Any) -> Any:
        if not isinstance(output, Tensor):
            raise ModelError(
                f"layer {name!r}: it returns {type(output).__name__}, expected one tensor; choose a layer inside it"
            )
        seen.append(output)
        return output.clone()

    handle = module.register_forward_hook(hook)
    try:
        yield seen
    finally:
        handle.remove()


def default_layer(problem: Problem) -> str:
    """Of the modules whose output has the smallest spatial extent above one voxel, the last to finish.

    For an encoder-decoder this is the bottleneck, as in Seg-Grad-CAM; for a classifier the last feature map; for
    a network without pooling the last hidden layer. A residual block counts as a whole, since it finishes after
    its branches.
    """
    problem.model.need_hooks("layer methods such as Grad-CAM")
    dims = len(problem.spatial_shape)
    x = clean(problem.padded).input(0, problem.plan.where(0))[None].to(problem.model.device, problem.dtype)
    seen: list[tuple[str, tuple[int, ...], int]] = []
    read_out: set[int] = set()
    handles = []
    for name, module in problem.model.module.named_modules():

        def note(_: nn.Module, __: Any, out: Any, name: str = name) -> None:
            if not name:
                read_out.update(t.untyped_storage().data_ptr() for t in _tensors(out))
            elif isinstance(out, Tensor) and out.dim() == dims + 2 and min(out.shape[2:]) > 1:
                seen.append((name, tuple(out.shape), out.untyped_storage().data_ptr()))

        handles.append(module.register_forward_hook(note))
    try:
        with problem.runner.session(), torch.no_grad():
            problem.runner.forward(x)
    finally:
        for handle in handles:
            handle.remove()
    # the read-out, and containers that end with it, are no feature maps
    while seen and seen[-1][2] in read_out:
        seen.pop()
    if not seen:
        raise ModelError(
            f"{problem.model.name}: no layer with a spatial output was found; name one with layer=…"
        )
    smallest = min(_volume(shape) for _, shape, _ in seen)
    return [name for name, shape, _ in seen if _volume(shape) == smallest][-1]


def _tensors(output: Any) -> Iterator[Tensor]:
    """All tensors of a nested output."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, (list, tuple)):
        for part in output:
            yield from _tensors(part)
    elif isinstance(output, dict):
        yield from _tensors(list(output.values()))


def _volume(shape: tuple[int, ...]) -> int:
    out = 1
    for size in shape[2:]:
        out *= size
    return out
