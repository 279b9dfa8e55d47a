"""What in the image drives a feature of a layer: the gradient of its mean over a region."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.engine.backward import Backward
from voxplain.engine.layer_hooks import capture, only_output
from voxplain.engine.layers import LayerView, upsample
from voxplain.engine.passes import Passes
from voxplain.engine.problem import Problem
from voxplain.engine.store import MapStore
from voxplain.errors import ModelError

Feature = Callable[[Tensor], Tensor]  # activations (B, F, *s) -> one feature (B, *s)


@dataclass(frozen=True)
class Driven:
    """What `UnitGradient.run` found.

    Attributes:
        maps: per target, (C, *spatial), the gradient of the feature's mean.
        values: per target, the feature's mean.
    """

    maps: MapStore
    values: dict[int, float]


def is_shared(problem: Problem, everywhere: bool) -> bool:
    """Whether one answer serves all targets, since it does not depend on their regions."""
    return everywhere or problem.layout is None


def unit_windows(problem: Problem, shared: bool) -> list[int]:
    """Windows that the means depend on."""
    return list(range(len(problem.plan))) if shared else problem.plan.windows(problem.present)


def unit_cost(problem: Problem, everywhere: bool) -> Passes:
    """Passes that `UnitGradient.run` takes."""
    shared = is_shared(problem, everywhere)
    windows = unit_windows(problem, shared)
    return Passes(len(windows), sum(1 if shared else len(problem.plan.touching[w]) for w in windows))


class UnitGradient:
    """Gradient of ``u_t = mean over v in region t of Σ_w ω_w(v) a_w(v)`` with respect to the image.

    ``a_w`` is the feature in window w, interpolated to the window, and ``ω_w`` are the windows' blending weights:
    the mean of the very map that `LayerView.paint_everywhere` paints of the feature. A classifier has no region; there
    it is the mean over the feature map itself.

    Args:
        feature: picks or combines channels.
        everywhere: take the mean over the whole image instead of the targets' regions.
        backward: takes the place of the plain backward pass.
    """

    def __init__(
        self,
        view: LayerView,
        feature: Feature,
        *,
        everywhere: bool = False,
        backward: Backward | None = None,
    ) -> None:
        self.view, self.problem, self.feature = view, view.problem, feature
        self.rules = backward or Backward()
        self.shared = is_shared(self.problem, everywhere)
        self.asked = self.problem.present[:1] if self.shared else self.problem.present

    def run(self, what: str) -> Driven:
        """The maps of all present targets; one forward pass per window, one backward pass per window and target."""
        problem = self.problem
        problem.runner.check_room(gradient=True)
        store, values = problem.padded_store(), dict.fromkeys(self.asked, 0.0)
        served: set[tuple[int, int]] = set()  # so that a batch that runs out of memory counts nothing twice

        def work(batch: list[int]) -> None:
            x, pictures = self._pictures(batch)
            todo = [[t for t in self._asked_of(w) if (w, t) not in served] for w in batch]
            rounds = max(map(len, todo))
            for r in range(rounds):
                active = [(b, own[r]) for b, own in enumerate(todo) if r < len(own)]
                cotangent = torch.zeros_like(pictures)
                for b, t in active:
                    cotangent[b] = self._field(batch[b], t, pictures.shape[1:]).to(cotangent)
                (gradient,) = torch.autograd.grad(pictures, x, cotangent, retain_graph=r + 1 < rounds)
                problem.runner.passes.backward += len(active)
                means = (pictures.detach().double() * cotangent).flatten(1).sum(1).tolist()
                blocks = gradient.cpu()
                for b, t in active:
                    store.add(t, problem.plan.where(batch[b]), blocks[b])
                    values[t] += means[b]
                    served.add((batch[b], t))
                self.rules.after(active)

        with problem.runner.session():
            problem.runner.each(self._windows(), work, what, self.rules.inflation)
        if problem.layout is not None:
            unpad = problem.layout.unpad_gradient
            store.transform(lambda _, m: unpad(m))
        for target in problem.present:
            if target not in values:
                store[target], values[target] = store[self.asked[0]].clone(), values[self.asked[0]]
        return Driven(store, values)

    def _windows(self) -> list[int]:
        windows = unit_windows(self.problem, self.shared)
        return windows if self.shared else sorted(windows, key=lambda w: -len(self.problem.plan.touching[w]))

    def _pictures(self, batch: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The windows (B, C, *roi) and the feature there: (B, *roi), for a classifier (B, *s)."""
        problem, view = self.problem, self.view
        parts = [problem.padded[(slice(None), *problem.plan.where(w))] for w in batch]
        x = torch.stack(parts).to(problem.model.device, problem.dtype).requires_grad_()
        with torch.enable_grad(), capture(view.module, view.name, view.axes) as seen:
            self.rules.forward(problem.runner.forward, x, None)
        output = only_output(seen, view.name, problem, len(batch))[: len(batch)]
        if not output.requires_grad:
            raise ModelError(
                f"layer {view.name!r}: no gradient leads from it to the input of {problem.model.name} (it may round, take "
                "an argmax or detach); choose an earlier layer"
            )
        with torch.enable_grad():
            picture = self.feature(output if output.dtype == torch.float64 else output.float())
            return x, picture if problem.layout is None else upsample(problem, picture)

    def _asked_of(self, window: int) -> list[int]:
        return self.asked if self.shared else self.problem.plan.touching[window]

    def _field(self, window: int, target: int, shape: Sequence[int]) -> Tensor:
        """Weights of a window's picture in a target's mean."""
        problem, layout = self.problem, self.problem.layout
        if layout is None:
            return torch.full(tuple(shape), 1 / math.prod(shape), dtype=problem.dtype)
        field = torch.zeros(layout.roi, dtype=problem.dtype)
        if self.shared:
            seen = layout.overlap_with(window)
            if seen is not None:
                field[seen[1]] = layout.weight(window)[seen[1]] / math.prod(problem.spatial_shape)
            return field
        functional = problem.plan.functionals[target]
        assert functional is not None and functional.region is not None
        term = next(term for term in problem.plan.terms(window).terms if term.target == target)
        field.view(-1)[term.voxels] = (term.blend / functional.region.count).to(field)
        return field
