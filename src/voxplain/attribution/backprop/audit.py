"""Whether the rules saw every operation: what they missed would be gone back through by its plain gradient."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor
from torch.autograd.function import BackwardCFunction

from voxplain.errors import ModelError

# Nodes of the graph that only pass values on, so that gradients, relevance and multipliers go through alike.
ROUTING = frozenset(
    "Ruled Multiplied Straight Cut AccumulateGrad View UnsafeView ReshapeAlias Reshape Alias AsStrided Permute "
    "Transpose T MT Movedim Swapaxes Squeeze Unsqueeze Expand Repeat RepeatInterleave Flatten Unflatten Cat Stack "
    "Split SplitWithSizes UnsafeSplit UnsafeSplitWithSizes Chunk Unbind Select Slice Narrow Index IndexSelect "
    "Gather Take TakeAlongDim Diagonal Flip Roll Rot90 Clone Copy ToCopy CopySlice Contiguous ConstantPadNd Pad "
    "ReflectionPad1D ReflectionPad2D ReflectionPad3D ReplicationPad1D ReplicationPad2D ReplicationPad3D "
    "PixelShuffle PixelUnshuffle ChannelShuffle Where MaskedFill Unfold Im2Col Col2Im Real ViewAsReal IndexPut "
    "IndexFill IndexCopy Identity MaxPool2DWithIndices MaxPool3DWithIndices MaxPool2D AdaptiveMaxPool2D "
    "AdaptiveMaxPool3D Amax Amin Max Min Broadcast Tile Squeeze0 BackwardHookFunction".split()
)
# Nodes that are the rules' own, or that PyTorch makes for hooks on modules.
OWN = frozenset("Ruled Multiplied Straight Cut BackwardHookFunction".split())
# "CopyBackwards" and "CopySlices" have a plural of their own
_SUFFIX = re.compile(r"(Backward\d*s?|s)$")


# Operations that do nothing unless they are in training mode.
_WHILE_TRAINING = frozenset(
    "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout".split()
)


def audit(
    z: Tensor,
    x: Tensor,
    method: str,
    meant: Container[Any] = (),
    but: Container[str] = (),
    makers: Mapping[Any, str] | None = None,
) -> None:
    """Walk the graph from the outputs back to the inputs.

    Args:
        meant: nodes that are to be gone back through by their own gradient.
        but: names of `ROUTING` that this method needs a rule for.
        makers: per node, the operation that the network called, where it is known.

    Raises:
        ModelError: an operation that neither is ruled nor merely passes values on, by name.
    """
    called = makers or {}
    missed = sorted(
        {
            _called(called[node]) if node in called else _spoken(n)
            for node, n in _nodes(z)
            if (n not in ROUTING or n in but) and node not in meant
        }
    )
    if missed:
        raise ModelError(
            f"method {method}: it has no rule for {', '.join(missed)}, which this network uses; "
            "choose a method that takes any operation, such as integrated_gradients or occlusion"
        )
    if not z.requires_grad or not x.requires_grad:
        raise ModelError(f"method {method}: no gradient leads from the network's output to its input")


def opaque(z: Tensor) -> list[str]:
    """Autograd functions written in Python: an activation inside them is out of every rule's sight."""
    return sorted({n for node, n in _nodes(z) if isinstance(node, BackwardCFunction) and n not in OWN})


# Nodes of activations, as PyTorch names them.
_ACTIVATIONS = frozenset(
    "Relu LeakyRelu PreluKernel Prelu RreluWithNoise Elu Gelu Silu Mish Softplus Hardtanh Hardswish Threshold".split()
)


def unseen_activations(z: Tensor) -> list[str]:
    """Activations of which no rule was told: those inside a piece of TorchScript."""
    return sorted({_spoken(n) for _, n in _nodes(z) if n in _ACTIVATIONS})


def _nodes(z: Tensor) -> Iterator[tuple[Any, str]]:
    """All nodes of the graph with the names of their operations."""
    seen: set[Any] = set()
    queue = [z.grad_fn]
    while queue:
        node = queue.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node, _SUFFIX.sub("", node.name().split("::")[-1])
        queue += [parent for parent, _ in node.next_functions]


def between(inputs: Iterable[Any], outputs: Iterable[Any]) -> set[Any]:
    """The nodes by which an operation leads from the nodes of its inputs to those of its outputs."""
    ends, found, queue = set(inputs), set(), list(outputs)
    while queue:
        node = queue.pop()
        if node is None or node in ends or node in found:
            continue
        found.add(node)
        queue += [parent for parent, _ in node.next_functions]
    return found


def _called(name: str) -> str:
    return f"{name} in training mode" if name in _WHILE_TRAINING else name


def _spoken(name: str) -> str:
    """``MaxPool2DWithIndices`` -> ``max_pool2d_with_indices``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", re.sub(r"(\d)D", r"\1d", name)).lower()
