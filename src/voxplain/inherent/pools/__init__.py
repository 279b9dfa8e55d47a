"""How an evidence map becomes a logit: one file per idea."""

from voxplain.inherent.pools.base import Pool
from voxplain.inherent.pools.linear import Max, Mean, TopK
from voxplain.inherent.pools.noisy_or import NoisyOr
from voxplain.inherent.pools.registry import make_pool, pool_names
from voxplain.inherent.pools.smooth import LogSumExp, SoftmaxWeighted

__all__ = [
    "LogSumExp",
    "Max",
    "Mean",
    "NoisyOr",
    "Pool",
    "SoftmaxWeighted",
    "TopK",
    "make_pool",
    "pool_names",
]
