"""Everything of a module that an explanation must give back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

HOOKS = [
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
]


@dataclass
class State:
    """A module's tensors, flags, classes and attributes at one moment."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    def differences(self, other: State) -> list[str]:
        """Names of what is not bit-identical."""
        names = self.facts.keys() | other.facts.keys()
        found = [n for n in sorted(names) if self.facts.get(n) != other.facts.get(n)]
        for name in sorted(self.tensors.keys() | other.tensors.keys()):
            a, b = self.tensors.get(name), other.tensors.get(name)
            if a is None or b is None or not _identical(a, b):
                found.append(name)
        return found


def state(net: nn.Module) -> State:
    """The state of a module now."""
    tensors = {n: t.detach().clone() for n, t in _named_tensors(net)}
    return State(tensors, dict(_facts(net)))


def disturbed(net: nn.Module) -> nn.Module:
    """A module as a training loop leaves it: training, some parameters frozen, a gradient held."""
    net.train()
    for i, parameter in enumerate(net.parameters()):
        parameter.requires_grad_(i % 3 != 1)
        if i % 4 == 0:
            parameter.grad = torch.full_like(parameter, 0.5)
    modules = list(net.modules())
    modules[len(modules) // 2].training = False
    return net


def _identical(a: Tensor, b: Tensor) -> bool:
    same = a.shape == b.shape and a.dtype == b.dtype and a.stride() == b.stride()
    return same and torch.equal(_bytes(a), _bytes(b))


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.contiguous().flatten().view(torch.uint8)


def _named_tensors(net: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in net.named_parameters():
        yield name, parameter
        if parameter.grad is not None:
            yield f"{name}.grad", parameter.grad
    yield from net.named_buffers()


def _facts(net: nn.Module) -> Iterator[tuple[str, Any]]:
    for name, parameter in net.named_parameters():
        yield f"{name}.requires_grad", parameter.requires_grad
        yield f"{name}.is", (id(parameter), parameter.data_ptr())
    for name, module in net.named_modules():
        yield f"{name}.class", type(module)
        yield f"{name}.training", module.training
        yield f"{name}.inplace", getattr(module, "inplace", None)
        yield f"{name}.forward", vars(module).get("forward")
        yield f"{name}.attributes", sorted(vars(module))
        for hooks in HOOKS:
            yield f"{name}.{hooks}", list(getattr(module, hooks).items())
