"""What kind an operation is, by the name under which PyTorch dispatches it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

# Activations that pass what is positive and hold back what is not: what guided backpropagation rectifies.
RECTIFIERS = frozenset(
    "relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish softplus hardswish threshold".split()
)
ELEMENTWISE = RECTIFIERS | frozenset(
    "sigmoid tanh hardtanh hardsigmoid exp expm1 log log1p log2 log10 sqrt rsqrt abs pow square reciprocal clamp clamp_min "
    "clamp_max logsigmoid softsign tanhshrink hardshrink softshrink sin cos erf".split()
)
# Affine in the tensors that depend on the image, all others being constant.
LINEAR = frozenset(
    "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear avg_pool1d avg_pool2d avg_pool3d "
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d interpolate upsample mean sum neg add sub rsub cumsum "
    "addmm baddbmm fold".split()
)
# No longer so where weights depend on the image, too.
WEIGHTED = frozenset(
    "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear addmm baddbmm batch_norm".split()
)
# Linear with one tensor that depends on the image, a product of two with two.
PRODUCTS = frozenset("mul matmul bmm mm einsum tensordot".split())
MAX_POOLS = frozenset(
    f"{kind}max_pool{d}d{also}"
    for kind in ("", "adaptive_")
    for d in (1, 2, 3)
    for also in ("", "_with_indices")
)
NORMS = frozenset("instance_norm group_norm layer_norm".split())
# Rewritten as several of the operations above by the rules that need it.
COMPOSITES = {
    "softmax": "softmax",
    "log_softmax": "log_softmax",
    "scaled_dot_product_attention": "attention",
    "multi_head_attention_forward": "multihead",
    "maximum": "extremum",
    "minimum": "extremum",
    "amax": "peak",
    "amin": "peak",
    "max": "peak",
    "min": "peak",
    "glu": "rewritten",
    "lerp": "rewritten",
    "addcmul": "rewritten",
    "addcdiv": "rewritten",
    "var": "rewritten",
    "std": "rewritten",
} | dict.fromkeys(
    "cat concat concatenate stack hstack vstack dstack column_stack pad setitem masked_fill where index_put index_fill "
    "index_copy unfold".split(),
    "joined",
)
_SYNONYMS = {
    "__add__": "add",
    "__radd__": "add",
    "__iadd__": "add",
    "__sub__": "sub",
    "__isub__": "sub",
    "__rsub__": "rsub",
    "subtract": "sub",
    "__mul__": "mul",
    "__rmul__": "mul",
    "__imul__": "mul",
    "multiply": "mul",
    "__truediv__": "div",
    "__div__": "div",
    "__itruediv__": "div",
    "__idiv__": "div",
    "true_divide": "div",
    "divide": "div",
    "__rtruediv__": "rdiv",
    "__rdiv__": "rdiv",
    "__matmul__": "matmul",
    "__rmatmul__": "matmul",
    "__pow__": "pow",
    "__ipow__": "pow",
    "__neg__": "neg",
    "negative": "neg",
    "absolute": "abs",
    "__abs__": "abs",
    "clip": "clamp",
    "_threshold": "threshold",
    "log_sigmoid": "logsigmoid",
    "special_expit": "sigmoid",
    "__setitem__": "setitem",
}
# In-place operators that Python binds again, and what does the same without touching its operand.
_OUT_OF_PLACE: dict[str, Callable[..., Any]] = {
    "__iadd__": torch.Tensor.add,
    "__isub__": torch.Tensor.sub,
    "__imul__": torch.Tensor.mul,
    "__itruediv__": torch.Tensor.div,
    "__idiv__": torch.Tensor.div,
    "__ipow__": torch.Tensor.pow,
}


def canonical(function: Callable[..., Any]) -> str:
    """The name of an operation without regard to how it was spelt.

    >>> canonical(torch.Tensor.__iadd__), canonical(torch.relu_), canonical(F.relu)
    ('add', 'relu', 'relu')
    """
    name: str = getattr(function, "__name__", type(function).__name__)
    if name in _SYNONYMS:
        return _SYNONYMS[name]
    if name.endswith("_") and not name.endswith("__"):
        name = name[:-1]
    return _SYNONYMS.get(name, name)


def kind(name: str, dynamic: int) -> str:
    """What sort of operation it is, given how many of its tensors depend on the image; ``""`` for all others.

    >>> kind("conv3d", 1), kind("mul", 1), kind("mul", 2), kind("view", 1)
    ('linear', 'linear', 'product', '')
    """
    if name in ELEMENTWISE:
        return "elementwise" if dynamic == 1 else ""
    if name in LINEAR or name == "batch_norm":
        return "" if name in WEIGHTED and dynamic > 1 else "linear"
    if name in PRODUCTS:
        return {1: "linear", 2: "product"}.get(dynamic, "")
    if name in NORMS:
        return "norm"
    if name in MAX_POOLS:
        return "max_pool"
    if name in ("div", "rdiv"):
        return "division"
    return COMPOSITES.get(name, "")


def out_of_place(function: Callable[..., Any]) -> Callable[..., Any] | None:
    """What does the same as an in-place operation without touching its operand; ``None`` where it is not in place.

    >>> out_of_place(torch.Tensor.add_) is torch.Tensor.add
    True
    """
    name: str = getattr(function, "__name__", "")
    if name in _OUT_OF_PLACE:
        return _OUT_OF_PLACE[name]
    if not name.endswith("_") or name.endswith("__"):
        return None
    for place in (torch.Tensor, torch, F):
        if getattr(place, name, None) is function:
            return getattr(place, name[:-1], None) or getattr(F, name[:-1], None)
    return getattr(torch.Tensor, name[:-1], None)


_FORM = frozenset("size dim ndimension numel nelement stride storage_offset is_contiguous __len__".split())
_CONTENT = frozenset("T mT H mH data real imag".split())


def is_about_form(function: Callable[..., Any]) -> bool:
    """Whether it asks for a tensor's form, such as its shape, and not for its values.

    >>> is_about_form(torch.Tensor.shape.__get__), is_about_form(torch.Tensor.T.__get__)
    (True, False)
    """
    name: str = getattr(function, "__name__", "")
    if name == "__get__":
        return getattr(function.__self__, "__name__", "") not in _CONTENT  # type: ignore[attr-defined]
    return name in _FORM


def inplace_position(function: Callable[..., Any]) -> int | None:
    """Position of an ``inplace`` flag among a function's arguments."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return None
    return names.index("inplace") if "inplace" in names else None
