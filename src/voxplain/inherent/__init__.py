"""Classifiers that explain themselves: the evidence map is the decision, and it segments.

Names are imported when they are first used: importing the room loads neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# Module -> its public names. The block for type checkers repeats them.
_MODULES = {
    "voxplain.inherent.classifier": ("EvidenceClassifier",),
    "voxplain.inherent.evidence": ("Explanation",),
    "voxplain.inherent.networks": (
        "GPReconResNet",
        "GPShuffleUNet",
        "GPUNet",
        "make_network",
        "network_names",
        "wrap",
    ),
    "voxplain.inherent.pools": (
        "LogSumExp",
        "Max",
        "Mean",
        "NoisyOr",
        "Pool",
        "SoftmaxWeighted",
        "TopK",
        "make_pool",
        "pool_names",
    ),
}
_EXPORTS = {name: module for module, names in _MODULES.items() for name in names}

__all__ = list(_EXPORTS)

if TYPE_CHECKING:
    from voxplain.inherent.classifier import EvidenceClassifier as EvidenceClassifier
    from voxplain.inherent.evidence import Explanation as Explanation
    from voxplain.inherent.networks import (
        GPReconResNet as GPReconResNet,
        GPShuffleUNet as GPShuffleUNet,
        GPUNet as GPUNet,
        make_network as make_network,
        network_names as network_names,
        wrap as wrap,
    )
    from voxplain.inherent.pools import (
        LogSumExp as LogSumExp,
        Max as Max,
        Mean as Mean,
        NoisyOr as NoisyOr,
        Pool as Pool,
        SoftmaxWeighted as SoftmaxWeighted,
        TopK as TopK,
        make_pool as make_pool,
        pool_names as pool_names,
    )


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use (PEP 562) and keep it here."""
    if name not in _EXPORTS:
        raise AttributeError(f"module 'voxplain.inherent' has no attribute {name!r}")
    value: object = getattr(import_module(_EXPORTS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})
