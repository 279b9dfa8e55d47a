"""How a region's effect lies in its parts: what Owen values say over cases, whose parts are not the same."""

from __future__ import annotations

from voxplain.aggregate.cohort import Cohort
from voxplain.aggregate.cohort.inventory import Inventory
from voxplain.report.cohort.page import Spread

MOST = 20
# parts are called "liver · 1", "liver · 2"; a region of one part has no spread
SQL = f"""
    WITH regions AS (
        SELECT "case", target, regexp_replace(region, ' · [0-9]+$', '') AS whole, count(*) AS parts,
               sum(abs(value)) AS total, max(abs(value)) AS largest
        FROM tables WHERE model = $1 AND method = $2 AND partition = $3 AND statistic = 'owen' AND status = 'ok'
        GROUP BY ALL),
    shares AS (
        SELECT *, total / sum(total) OVER (PARTITION BY "case", target) AS effect, largest / total AS share
        FROM regions WHERE total > 0)
    SELECT target, whole AS region, avg(effect) AS effect, avg(parts) AS parts, median(share) AS middle,
           quantile_cont(share, 0.25) AS low, quantile_cont(share, 0.75) AS high, count(*) AS n
    FROM shares WHERE parts > 1 GROUP BY ALL ORDER BY effect DESC, target, region LIMIT {MOST}
"""


def spreads(cohort: Cohort, known: Inventory, method: str, partition: str) -> tuple[Spread, ...]:
    """Of regions with two parts or more, those with the largest effects first."""
    return tuple(Spread(**row) for row in cohort.query(SQL, [known.model, method, partition]))
