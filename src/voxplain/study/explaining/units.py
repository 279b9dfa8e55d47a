"""What the ledger of a case's folder holds: its prediction, a unit per method, one per metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxplain.study.ledger.ledger import Ledger

PREDICTION = "prediction"
METRIC = "metric-"  # begins the names of units that judge maps


def method_results(ledger: Ledger) -> dict[str, dict[str, Any]]:
    """Method -> what it left in a folder of `explain`, of all units that are methods."""
    return {u: ledger.last(u) for u in ledger.units() if u != PREDICTION and not u.startswith(METRIC)}
