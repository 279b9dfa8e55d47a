"""DeepLIFT's backward pass: multipliers instead of derivatives, for every operation of the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from voxplain.attribution.backprop import (
    decompose,
    deeplift_maxima as maxima,
    deeplift_operations as operations,
)
from voxplain.attribution.backprop.audit import audit
from voxplain.attribution.backprop.call import Call, Multiplied, Multiplier
from voxplain.attribution.backprop.deeplift_operations import Rule, Run
from voxplain.attribution.backprop.rules import Rules

# Routing of gradients that is no routing of differences: where the winner changes, a multiplier is due.
_NOT_ROUTING = frozenset(
    ("Amax", "Amin", "Max", "Min", "MaxPool2D", "AdaptiveMaxPool2D", "AdaptiveMaxPool3D")
) | {"MaxPool2DWithIndices", "MaxPool3DWithIndices"}


class DeepLiftRules(Rules):
    """The rescale rule of Shrikumar et al. 2017, arXiv:1704.02685, and what else is needed to be complete.

    The reference goes through the network first, and what every operation gave is put on a tape; then the image
    does, and each operation meets its own record, whatever the layout of the batch within the network. Records are
    dropped as soon as the multiplier is made.

    Attributes:
        differences: per target, ``F(x) − F(reference)`` as summed over what was explained so far.
    """

    strict = True
    references = True
    inflation = 2

    def __init__(self, module: nn.Module, method: str) -> None:
        super().__init__(module, method)
        self.differences: dict[int, float] = {}
        self._tape: deque[Run] = deque()
        self._recording = False
        self._reference_output: Tensor | None = None
        self._explained: list[float] = []

    def forward(self, run: Callable[[Tensor], Tensor], x: Tensor, reference: Tensor | None) -> Tensor:
        assert reference is not None
        self._tape.clear()
        self._recording = True
        try:
            self._reference_output = self.intercepted(run, reference.detach().requires_grad_()).detach()
        finally:
            self._recording = False
        z = self.watched(run, x)
        if self._tape:
            self._differs()
        return z

    def examine(self, z: Tensor, x: Tensor) -> None:
        audit(z, x, self.method, self._natural, _NOT_ROUTING, self._makers)

    def seed(self, cotangent: Tensor, z: Tensor) -> Tensor:
        assert self._reference_output is not None
        change = cotangent.double() * (z.double() - self._reference_output.double())
        self._explained = change.flatten(1).sum(1).tolist()
        return cotangent

    def after(self, served: Sequence[tuple[int, int]]) -> None:
        for sample, target in served:
            self.differences[target] = self.differences.get(target, 0.0) + self._explained[sample]

    def linear(self, call: Call) -> Any:
        if decompose.is_of_the_batch(call):
            return self._batch_statistics(call)
        if not self._recording:
            return self.plain(call)
        out: Tensor = call()
        return out.detach().requires_grad_()

    def elementwise(self, call: Call) -> Any:
        return self._paired(call, operations.elementwise)

    def product(self, call: Call) -> Any:
        return self._paired(call, operations.product)

    def division(self, call: Call) -> Any:
        if call.kwargs.get("rounding_mode"):
            self.refuse("it has no rule for a division that rounds")
        if operations.is_linear_division(call):
            return self.linear(call)
        return self._paired(call, operations.division)

    def max_pool(self, call: Call) -> Any:
        alone = maxima.without_indices(call)
        values = self._paired(alone, maxima.pool)
        if alone is call:
            return values
        return values, call(*(x.detach() for x in call.inputs))[1]

    def rewritten(self, call: Call) -> Any:
        with self.again():
            return decompose.rewritten(call)

    def extremum(self, call: Call) -> Any:
        return self._paired(call, maxima.extremum)

    def peak(self, call: Call) -> Any:
        if isinstance(call.argument(1, "other"), Tensor):
            return self.extremum(call)
        axes = call.argument(1, "dim")
        if axes is None or axes == ():
            self.refuse(f"it has no rule for {call.name} over a whole batch")
        values = self._paired(maxima.along(call), maxima.peak)
        if call.name.startswith("a"):
            return values
        kind = getattr(torch.return_types, call.name)
        return kind((values, call(*(x.detach() for x in call.inputs)).indices))

    def norm(self, call: Call) -> Any:
        if decompose.is_fixed(call):
            with self.again():
                return decompose.norm(call)
        return self._paired(call, operations.norm)

    def _batch_statistics(self, call: Call) -> Any:
        """BatchNorm by its input's own statistics, which for a single sample is InstanceNorm."""
        if len(call.inputs[0]) > 1:
            self.refuse(
                "a BatchNorm normalises by the statistics of a whole batch, so that samples have no differences of their "
                "own; use batch=1, or statistics that it learnt (track_running_stats)"
            )
        alone = Call("instance_norm", call.function, call.args, call.kwargs, call.places)
        return self._paired(alone, operations.norm)

    def softmax(self, call: Call) -> Any:
        return self._paired(call, operations.softmax)

    def log_softmax(self, call: Call) -> Any:
        return self._paired(call, operations.log_softmax)

    def attention(self, call: Call) -> Any:
        with self.again():
            return decompose.attention(call)

    def multihead(self, call: Call) -> Any:
        with self.again():
            return decompose.multihead(call)

    def _paired(self, call: Call, rule: Rule) -> Any:
        """The call with its multiplier, made from what it does to the image and did to the reference."""
        if self._recording:
            out: Tensor = call().detach()
            self._tape.append(Run(call.name, tuple(x.detach() for x in call.inputs), out))
            return out.detach().requires_grad_()
        was = self._tape.popleft() if self._tape else None
        if was is None or was.shapes != (call.name, *(x.shape for x in call.inputs)):
            self._differs()

        def make(*inputs: Tensor) -> tuple[Tensor, Multiplier]:
            now = Run(call.name, inputs, call(*inputs))
            return now.out, rule(call, now, was)

        return Multiplied.apply(make, *call.inputs)  # type: ignore[no-untyped-call]

    def _differs(self) -> NoReturn:
        self.refuse(
            "the network does other operations on the image than on the reference, so the two cannot be compared; "
            "choose another method, such as integrated_gradients"
        )
