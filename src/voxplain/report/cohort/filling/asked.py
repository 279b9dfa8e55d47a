"""How the statistics of a page are run."""

from __future__ import annotations

from dataclasses import dataclass

BACKGROUND = ("background",)


@dataclass(frozen=True)
class Asked:
    """Settings of `cohort_page`.

    Args:
        level: share of false alarms (q) at which something is called found.
        groups: columns of the metadata that are compared; all with two to six values by default.
        leave_out: targets and regions that are no edges of graphs and no findings.
        permutations: of group labels; of relations twice as many.
        resamples: of the bootstrap.
        seed: of everything that is drawn.
    """

    level: float = 0.05
    groups: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = BACKGROUND
    permutations: int = 9_999
    resamples: int = 2_000
    seed: int = 0
