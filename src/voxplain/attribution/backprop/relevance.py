"""Layer-wise relevance propagation: what flows back is relevance, and every operation shares out what it gets."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from voxplain.attribution.backprop import relevance_products, relevance_sums
from voxplain.attribution.backprop.call import Call, vjp
from voxplain.attribution.backprop.relevance_backs import SumBack, WeightedBack
from voxplain.attribution.backprop.relevance_base import RelevanceRules
from voxplain.attribution.backprop.relevance_batchnorm import merged
from voxplain.attribution.backprop.relevance_map import Contributions, LinearMap, constant, constants
from voxplain.attribution.backprop.relevance_pass import straight
from voxplain.attribution.backprop.relevance_rules import Settings, Shares, share

_PRODUCTS = frozenset({"matmul", "bmm", "mm", "einsum", "tensordot"})
# Joined with constants by what they do, whatever their arguments.
_FILLING = frozenset("pad setitem masked_fill where index_put index_fill index_copy".split())
_WEIGHTED = _PRODUCTS | {"linear"} | {f"conv{kind}{d}d" for kind in ("", "_transpose") for d in (1, 2, 3)}
_AVERAGES = {"interpolate", "upsample", "mean", "sum", "cumsum", "fold"} | {
    f"{kind}avg_pool{d}d" for kind in ("", "adaptive_") for d in (1, 2, 3)
}
_GATES = {"sigmoid": "sigmoid", "hardsigmoid": "sigmoid"}


class Relevance(RelevanceRules):
    """Backward pass of LRP and excitation backprop.

    Relevance passes through activations and normalisations unchanged (for LayerNorm: AttnLRP, Achtibat et al. 2024),
    max pooling hands it to the winner, BatchNorm is merged into the weights before it, and weighted operations share
    it out by `shared`.

    Args:
        composite: rules of dense layers and the read-out, of convolutions, and of the first weighted operations.
        settings: of these rules.
        sums: whether additions and averages share by ``magnitude`` or by value (``epsilon``).
        attention: ``constant`` or ``attnlrp``, see `relevance_products`.
    """

    def __init__(
        self,
        module: nn.Module,
        method: str,
        composite: tuple[str, str, str],
        settings: Settings,
        *,
        sums: str = "magnitude",
        attention: str = "constant",
    ) -> None:
        super().__init__(module, method)
        self.composite, self.settings = composite, settings
        self.by_magnitude, self.attention_rule = sums == "magnitude", attention
        # output of a weighted operation -> how it was made, for the BatchNorm that may follow
        self._made: Any = WeakIdKeyDictionary()
        # output of a padding -> how it was padded, for the operation that follows
        self._padded: Any = WeakIdKeyDictionary()

    def shared(self, at: WeightedBack, parts: Contributions, out: Tensor, relevance: Tensor) -> Shares:
        """What the input of a weighted operation gets."""
        return share(self.rule(at), parts, out, relevance, self.settings)

    def rule(self, at: WeightedBack) -> str:
        """The composite's rule for an operation."""
        dense, convolution, first = self.composite
        if at.last and at.linear_to_output:
            return dense
        if at.first:
            return first
        return dense if at.dense else convolution

    # -- kinds of operations

    def elementwise(self, call: Call) -> Any:
        if len(call.places) != 1:
            self.no_rule(f"{call.name} of several tensors that depend on the image")
        return straight(call, "activation", gate=_GATES.get(call.name, ""))

    def norm(self, call: Call) -> Any:
        return straight(call, "norm")

    def joined(self, call: Call) -> Any:
        padded = call.name == "unfold" and call.argument(3, "padding", 0) not in (0, (0, 0))
        if call.name not in _FILLING and not padded and (call.name == "unfold" or not constants(call)):
            return call()
        back = self.booking(lambda x, _, r: relevance_sums.share_joined(call, x, r, self.settings))
        out = self.ruled(call, SumBack(back))
        if call.name == "pad":
            self._padded[out] = call
        return out

    def linear(self, call: Call) -> Any:
        if call.name == "batch_norm":
            return self._batch_norm(call)
        if call.name in relevance_sums.ADDITIONS:
            return self._addition(call)
        if call.name in ("addmm", "baddbmm"):
            with self.again():
                return relevance_products.added_product(call)
        if call.name == "neg":
            return straight(call, "scaling")
        if call.name == "mul":
            return self._passed(call, 0)
        if call.name in _WEIGHTED:
            return self._weighted(call)
        if call.name in _AVERAGES and len(call.places) == 1:
            return self._average(call)
        self.no_rule(f"{call.name}, which this network uses")

    def product(self, call: Call) -> Any:
        taker = relevance_products.signal(call, self.attention_rule)
        if taker is None:
            settings, halves = self.settings, relevance_products.share_halves
            return self.ruled(call, self.booking(lambda x, out, r: halves(call, x, out, r, settings)))
        if call.name == "mul":
            return self._passed(call, taker)
        averaged = Call(call.name, call.function, call.args, call.kwargs, (call.places[taker],))

        def back(inputs: tuple[Tensor, ...], out: Tensor, relevance: Tensor) -> list[Tensor | None]:
            found = relevance_sums.share_average(
                averaged, inputs[taker], out, relevance, self.settings, self.by_magnitude
            )
            given: list[Tensor | None] = [None, None]
            given[taker] = self.booked(found)
            return given

        return self.ruled(call, back)

    def division(self, call: Call) -> Any:
        """The dividend takes all: what it is divided by scales it, as a normalisation does."""
        dividend = (0, "input") if call.name == "div" else (1, "other")
        taker = next((i for i, (key, _) in enumerate(call.places) if key in dividend), 0)
        return straight(call, "scaling" if len(call.places) == 1 else "product", taker)

    def extremum(self, call: Call) -> Any:
        """The winner takes all, like the gradient."""
        return self.ruled(call, lambda inputs, out, relevance: vjp(call, inputs, relevance))

    def softmax(self, call: Call) -> Any:
        if self.attention_rule == "constant":
            return straight(call, "activation", gate="softmax")
        axis = call.argument(1, "dim")

        def back(inputs: tuple[Tensor, ...], out: Tensor, relevance: Tensor) -> list[Tensor]:
            given, kept = relevance_products.softmax_taylor(inputs[0], out, relevance, axis)
            self.books.take("softmax", kept)
            return [given]

        out = self.ruled(call, back)
        out.grad_fn.gate = "softmax"  # type: ignore[union-attr]
        return out

    def log_softmax(self, call: Call) -> Any:
        return straight(call, "activation")

    # -- how

    def _passed(self, call: Call, taker: int) -> Tensor:
        """A product of which one factor takes all, but for where the other is 0: nothing comes through there."""
        zero = relevance_products.zeros(call, taker)
        if zero is None:
            return straight(call, "scaling" if len(call.places) == 1 else "product", taker)
        back = self.booking(lambda x, _, r: relevance_products.share_through(x, taker, zero, r))
        return self.ruled(call, SumBack(back) if len(call.places) == 1 else back)

    def _weighted(self, call: Call) -> Tensor:
        named = call.name not in _PRODUCTS
        if len(call.places) != 1 or (named and call.places[0] not in ((0, None), ("input", None))):
            self.no_rule(f"{call.name} with weights that depend on the image")
        if not constants(call):
            self.no_rule(f"{call.name} of a single tensor")
        bias = call.argument(2, "bias") if named else None
        bias = None if bias is None else bias.detach()
        linear = LinearMap(call, constant(call), bias, self._padded.get(call.inputs[0]))
        out = self.ruled(call, WeightedBack(self, linear, dense=not call.name.startswith("conv")))
        if named:
            self._made[out] = linear
        return out

    def _batch_norm(self, call: Call) -> Tensor:
        """Part of the weights before it where there are any, else an identity."""
        x = call.inputs[0]
        made: LinearMap | None = self._made.get(x)
        # the axis of a token-wise layer's outputs is the last, BatchNorm's the second
        tokens = made is not None and made.call.name == "linear" and x.dim() > 2
        linear = None if made is None or tokens else merged(made, call)
        if made is None or linear is None:
            return straight(call, "norm")
        with torch.no_grad():
            out = call()
        whole = Call(call.name, lambda _: out, (made.call.inputs[0],), {}, ((0, None),))
        return self.ruled(whole, WeightedBack(self, linear, dense=made.call.name == "linear"))

    def _addition(self, call: Call) -> Tensor:
        how = self.settings, self.by_magnitude
        back = self.booking(lambda _, out, r: relevance_sums.share_addition(call, out, r, *how))
        return self.ruled(call, SumBack(back))

    def _average(self, call: Call) -> Tensor:
        def back(inputs: tuple[Tensor, ...], out: Tensor, relevance: Tensor) -> list[Tensor]:
            found = relevance_sums.share_average(
                call, inputs[0], out, relevance, self.settings, self.by_magnitude
            )
            return [self.booked(found)]

        return self.ruled(call, SumBack(back))
