"""Backward passes that keep only what speaks for the score, at every activation anew."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from voxplain.attribution.backprop.audit import opaque, unseen_activations
from voxplain.attribution.backprop.call import Call, vjp
from voxplain.attribution.backprop.operations import RECTIFIERS
from voxplain.attribution.backprop.rules import Rules
from voxplain.errors import ModelError

# Activations that bound or bend their input without holding back one sign.
OTHERS = frozenset(("sigmoid", "hardsigmoid", "logsigmoid", "softmax", "log_softmax", "tanh", "hardtanh")) | {
    "softsign",
    "tanhshrink",
    "hardshrink",
    "softshrink",
}
# With these an activation may be written out so that no rule knows it, such as (x + |x|) / 2.
PERHAPS = frozenset(("abs", "clamp", "clamp_min", "clamp_max"))


class RectifyingRules(Rules, ABC):
    """What guided backpropagation and deconvolution share: they see every activation and tell which they changed.

    Attributes:
        rectified: activations that the rule was applied to, in the order of their first use.
        untouched: other activations, which are gone back through by their plain gradient.
        detaches: the network uses what it detached from the image.
    """

    def __init__(self, module: nn.Module, method: str) -> None:
        super().__init__(module, method)
        self.rectified: list[str] = []
        self.untouched: list[str] = []
        self.detaches = False

    def elementwise(self, call: Call) -> Any:
        if is_rectifier(call):
            _remember(self.rectified, _spoken(call))
            return self.ruled(call, lambda inputs, _, incoming: self.back(call, inputs[0], incoming))
        return self._other(call)

    def _other(self, call: Call) -> Any:
        if call.name in OTHERS | PERHAPS:
            _remember(self.untouched, call.name)
        return call()

    def extremum(self, call: Call) -> Any:
        _remember(self.untouched, call.name)
        return call()

    def masked(self, name: str) -> None:
        _remember(self.untouched, f"{name} with a mask made from the image")

    def detached(self, tensor: Tensor, gate: bool) -> Tensor:
        self.detaches = True
        return tensor

    softmax = log_softmax = _other

    def attention(self, call: Call) -> Any:
        _remember(self.untouched, "softmax")
        return call()

    multihead = attention

    @abstractmethod
    def back(self, call: Call, x: Tensor, incoming: Tensor) -> Sequence[Tensor]:
        """What goes back through an activation of ``x``."""

    def examine(self, z: Tensor, x: Tensor) -> None:
        """Refuse networks on which the answer would silently be another method's."""
        hidden = opaque(z)
        if hidden:
            raise ModelError(
                f"method {self.method}: the network hides operations in its own autograd function {', '.join(hidden)}, so "
                "activations inside it could not be rectified (gradient checkpointing does so, too: switch it off); "
                "choose a method that takes any operation, such as gradient"
            )
        unseen = unseen_activations(z)
        if unseen:
            raise ModelError(
                f"method {self.method}: {', '.join(unseen)} runs where it cannot be rectified (in TorchScript, or in "
                "an operation of its own); choose a method that takes any operation, such as gradient"
            )
        if not self.rectified:
            found = f"only {', '.join(self.untouched)}" if self.untouched else "no activation"
            raise ModelError(
                f"method {self.method}: the network has no activation to rectify, such as ReLU ({found} was found), so the "
                "answer would be the plain gradient; choose gradient"
            )

    @property
    def beyond(self) -> list[str]:
        """Rectified activations for which the papers define nothing."""
        return [name for name in self.rectified if name != "relu"]


class GuidedRules(RectifyingRules):
    """Guided backpropagation: back through ``f`` goes ``f'(x) · max(g, 0)`` where the unit is on, else nothing.

    A unit is on where ``x > 0``; for ReLU this is Springenberg et al. 2015, arXiv:1412.6806, section 3.4.

    Args:
        leak: let ``f'(x) · max(g, 0)`` through units that are off, too.
    """

    def __init__(self, module: nn.Module, method: str, *, leak: bool = False) -> None:
        super().__init__(module, method)
        self.leak = leak

    def back(self, call: Call, x: Tensor, incoming: Tensor) -> Sequence[Tensor]:
        (passed,) = vjp(call, (x,), incoming.clamp_min(0))
        return (passed if self.leak else torch.where(x > 0, passed, torch.zeros_like(passed)),)


class DeconvolutionRules(RectifyingRules):
    """Deconvolution: back through any of them goes ``max(g, 0)``, whatever the forward pass saw.

    Zeiler & Fergus 2014, arXiv:1311.2901; pooling switches are autograd's own.
    """

    def back(self, call: Call, x: Tensor, incoming: Tensor) -> Sequence[Tensor]:
        return (incoming.clamp_min(0),)


def told(rectified: Sequence[str], untouched: Sequence[str], detaches: bool = False) -> str:
    """One line for people.

    >>> told(["relu"], ["tanh"])
    'rectified at relu; plain gradient through tanh'
    """
    text = f"rectified at {', '.join(rectified)}"
    if untouched:
        text += f"; plain gradient through {', '.join(untouched)}"
    return f"{text}; nothing through what the network detaches from the image" if detaches else text


def is_rectifier(call: Call) -> bool:
    """Whether a call passes what is positive and holds back what is not: ``clamp(min=0)`` and ReLU6 do, too."""
    return call.name in RECTIFIERS or _spoken(call) in RECTIFIERS


def _spoken(call: Call) -> str:
    """The activation's own name, where it came under another one."""
    if call.name in ("clamp", "clamp_min") and _is_zero(call.argument(1, "min")):
        return "relu" if call.argument(2, "max") is None else "relu6"
    if call.name == "hardtanh" and _is_zero(call.argument(1, "min_val", -1.0)):
        return "relu6"
    return call.name


def _is_zero(bound: Any) -> bool:
    return isinstance(bound, (int, float)) and bound == 0


def _remember(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)
