"""Where a path is sampled, and what each point counts for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from voxplain.errors import InputError


def quadrature(rule: str, nodes: int) -> tuple[list[float], list[float]]:
    """Positions in [0, 1] and weights that sum to 1.

    >>> quadrature("midpoint", 2)
    ([0.25, 0.75], [0.5, 0.5])
    """
    rules: dict[str, Callable[[int], tuple[Any, Any]]] = {
        "gauss-legendre": _gauss_legendre,
        "midpoint": lambda n: ((np.arange(n) + 0.5) / n, np.full(n, 1 / n)),
        "left": lambda n: (np.arange(n) / n, np.full(n, 1 / n)),
        "right": lambda n: ((np.arange(n) + 1) / n, np.full(n, 1 / n)),
        "trapezoid": lambda n: (np.linspace(0, 1, n), _trapezoid(n)),
    }
    least = 2 if rule == "trapezoid" else 1
    if rule not in rules:
        raise InputError(f"integrated_gradients: found rule={rule!r}, expected one of {', '.join(rules)}")
    if nodes < least:
        raise InputError(
            f"integrated_gradients: found nodes={nodes}, expected at least {least} for rule {rule!r}"
        )
    positions, weights = rules[rule](nodes)
    return [float(p) for p in positions], [float(w) for w in weights]


def _gauss_legendre(n: int) -> tuple[Any, Any]:
    points, weights = np.polynomial.legendre.leggauss(n)
    return (points + 1) / 2, weights / 2


def _trapezoid(n: int) -> Any:
    weights = np.full(n, 1 / (n - 1))
    weights[[0, -1]] /= 2
    return weights
