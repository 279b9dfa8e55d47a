"""Dividing groups into parts of given shares, so that every part has about the same share of every class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def allocate(
    keys: Sequence[str], targets: npt.NDArray[np.float32], shares: Sequence[float], seed: int
) -> npt.NDArray[np.int64]:
    """The part of every sample; samples of one key come into one part.

    Greedy, as scikit-learn's StratifiedGroupKFold, which knows equal shares and single labels only: groups of the most
    uneven classes first, each to the part where it lowers Σ (have − wanted)² / wanted over parts and classes the most.

    Args:
        keys: the group of every sample.
        targets: (N, K) zeros and ones.
        shares: of every part; a part of share 0 stays empty.
        seed: draws the order of groups that are alike.

    >>> allocate(["a", "a", "b", "c"], np.eye(2, dtype=np.float32)[[0, 0, 1, 0]], [0.5, 0.5], 0).shape
    (4,)
    """
    names, member = np.unique(np.asarray(keys), return_inverse=True)
    # the number of samples counts like one more class: parts keep their sizes, too
    counted = np.concatenate([targets, np.ones((len(targets), 1), np.float32)], 1).astype(np.float64)
    groups = np.zeros((len(names), counted.shape[1]))
    np.add.at(groups, member, counted)
    open_parts = [number for number, share in enumerate(shares) if share > 0]
    wanted = np.outer([shares[number] for number in open_parts], counted.sum(0)).clip(1e-9)
    have = np.zeros_like(wanted)
    part = np.zeros(len(names), np.int64)
    order = np.random.default_rng(seed).permutation(len(names))
    for group in order[np.argsort(-groups[order].std(1), kind="stable")]:
        more = groups[group]
        change = (more * (2 * (have - wanted) + more) / wanted).sum(1)
        best = int(np.argmin(change))
        have[best] += more
        part[group] = open_parts[best]
    return part[member]
