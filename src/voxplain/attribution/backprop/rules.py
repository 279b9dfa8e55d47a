"""What to do with every kind of operation on the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, cast

import torch
from torch import Tensor, nn
from torch.autograd.graph import disable_saved_tensors_hooks

from voxplain.attribution.backprop import operations
from voxplain.attribution.backprop.audit import audit, between
from voxplain.attribution.backprop.call import Back, Call, Ruled, places
from voxplain.attribution.backprop.intercept import Interceptor
from voxplain.attribution.backprop.stand_ins import stand_ins
from voxplain.engine.backward import Backward
from voxplain.errors import ModelError

_RECOMPUTED = (
    "the network recomputes its activations in the backward pass (gradient checkpointing), where no rule sees them; "
    "switch checkpointing off"
)


class Rules(Backward):
    """A modified backward pass: one handler per kind of operation, each of which is ordinary unless overridden.

    A handler gets a `Call` and returns its output, with a graph that goes back as the method wants: `ruled` makes
    one from a function of inputs, output and what comes back; `again` lets the rules see the operations that a
    handler itself does, which is how composite operations are taken apart.

    Args:
        module: the network, whose opaque activations are replaced while it runs.
        method: for messages.

    Attributes:
        strict: refuse networks with an operation that no rule saw.
    """

    strict: bool = False

    def __init__(self, module: nn.Module, method: str) -> None:
        self.module, self.method = module, method
        self._mode: Interceptor | None = None
        self._audited = False
        self._natural: set[Any] = set()
        # node of the graph -> the operation of the network that made it, for messages
        self._makers: dict[Any, str] = {}
        self._refusal: ModelError | None = None

    def forward(self, run: Callable[[Tensor], Tensor], x: Tensor, reference: Tensor | None) -> Tensor:
        z = self.watched(run, x if reference is None else torch.cat([x, reference]))
        return z if reference is None else z[: len(x)]

    def watched(self, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """The network's output with a graph that follows the rules.

        Raises:
            ModelError: a strict method met an operation without a rule.
        """
        z = self.intercepted(run, x)
        if not self._audited:
            self.examine(z, x)
            self._audited = True
            self._natural.clear()
            self._makers.clear()
        return z

    def intercepted(self, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """The network's output, every operation handed to its handler."""
        self.start(x)
        with stand_ins(self.module), disable_saved_tensors_hooks(_RECOMPUTED):
            self._mode = Interceptor(self)
            try:
                with self._mode:
                    z = run(x)
                # what the network wrote in place last has become another tensor
                return cast("Tensor", self._mode.today(z))
            except Exception as error:
                # the network's own failures are explained by whoever runs it; a refusal is not the network's
                if self._refusal is not None:
                    raise self._refusal from None
                if _RECOMPUTED in str(error):
                    raise ModelError(f"method {self.method}: {_RECOMPUTED}") from None
                raise
            finally:
                self._mode = None

    def examine(self, z: Tensor, x: Tensor) -> None:
        """Told after the first forward pass, to refuse what the rules cannot answer for."""
        if self.strict:
            audit(z, x, self.method, self._natural, makers=self._makers)

    def refuse(self, why: str) -> NoReturn:
        """Within a handler: give up on this network.

        Raises:
            ModelError: always.
        """
        self._refusal = ModelError(f"method {self.method}: {why}")
        raise self._refusal

    def plain(self, call: Call) -> Any:
        """The call as it is, gone back through by its own gradient, and known to the audit as meant so."""
        out = call()
        if not self._audited and isinstance(out, Tensor):
            self._natural.update(between([x.grad_fn for x in call.inputs], [out.grad_fn]))
        return out

    def known(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """The nodes of an operation's inputs."""
        return [
            Call("", tuple, tuple(args), kwargs, (place,)).inputs[0].grad_fn for place in places(args, kwargs)
        ]

    def unruled(self, name: str, known: Sequence[Any], out: Any) -> None:
        """Told of an operation that no rule takes, the nodes of its inputs, and what came out."""
        if not self._audited:
            made = [
                v.grad_fn for v in (out if isinstance(out, (list, tuple)) else [out]) if isinstance(v, Tensor)
            ]
            several = " of several tensors that depend on the image" if operations.kind(name, 1) else ""
            self._makers.update(dict.fromkeys(between(known, made), name + several))

    def detached(self, tensor: Tensor, gate: bool) -> Tensor:
        """Told of a tensor that meets others, and that the network made from the image behind autograd's back.

        Args:
            tensor: it.
            gate: it only scales what it meets.

        Returns:
            What stands for it.
        """
        del gate
        return tensor

    def start(self, x: Tensor) -> None:
        """Told before every forward pass what goes in."""

    def masked(self, name: str) -> None:
        """Told of an operation that masks by a comparison of what depends on the image, and is no ReLU."""

    def apply(self, kind: str, call: Call) -> Any:
        """Hand a call to the handler of its kind."""
        handler: Callable[[Call], Any] = getattr(self, kind)
        return handler(call)

    @contextmanager
    def again(self) -> Iterator[None]:
        """Within a handler: operations in this block are seen by the rules, too."""
        assert self._mode is not None
        with self._mode:
            yield

    @staticmethod
    def ruled(call: Call, back: Back) -> Tensor:
        """The call's output, gone back through by ``back(inputs, output, what comes back)``."""
        out: Tensor = Ruled.apply(call, back, *call.inputs)  # type: ignore[no-untyped-call]
        return out

    def elementwise(self, call: Call) -> Any:
        """An activation or another function of each element."""
        return call()

    def linear(self, call: Call) -> Any:
        """Affine in all dynamic tensors: convolutions, sums, averages, interpolation, normalisation by constants."""
        return call()

    def product(self, call: Call) -> Any:
        """Linear in each of two dynamic tensors: gates, attention."""
        return call()

    def division(self, call: Call) -> Any:
        """A quotient of which one side or both depend on the image."""
        return call()

    def max_pool(self, call: Call) -> Any:
        """The largest of each neighbourhood."""
        return call()

    def extremum(self, call: Call) -> Any:
        """The larger or smaller of two tensors."""
        return call()

    def peak(self, call: Call) -> Any:
        """``amax``, ``amin``, or ``max`` and ``min`` in any of their forms."""
        return call()

    def joined(self, call: Call) -> Any:
        """``cat``, ``pad``, ``where`` and others that may join constants to what depends on the image."""
        return call()

    def rewritten(self, call: Call) -> Any:
        """``glu``, ``lerp``, ``addcmul``, ``addcdiv``, ``var``, ``std``: see `decompose.rewritten`."""
        return call()

    def norm(self, call: Call) -> Any:
        """Normalisation by statistics of the tensor itself: Instance-, Group- and LayerNorm."""
        return call()

    def softmax(self, call: Call) -> Any:
        """Softmax along an axis."""
        return call()

    def log_softmax(self, call: Call) -> Any:
        """Its logarithm."""
        return call()

    def attention(self, call: Call) -> Any:
        """``scaled_dot_product_attention``."""
        return call()

    def multihead(self, call: Call) -> Any:
        """``multi_head_attention_forward``."""
        return call()
