"""The study's result as one Markdown table for the docs: means over cases and the three networks' verdicts.

python examples/vessels/summary.py [made/study [unet]]
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

METRICS = {
    "normalized_infidelity": "infidelity (normalised) ↓",
    "faithfulness_correlation": "faithfulness correlation ↑",
    "deletion": "deletion ↓",
    "sensitivity_average": "sensitivity ↓",
    "mprt_absolute": "likeness after redrawn weights ↓",
    "auprc": "AUPRC ↑",
}
QUERY = """
    SELECT method, metric, avg(mean) FROM (
        SELECT model, method, metric, "case", avg(value) AS mean FROM read_parquet('{file}') WHERE {which} GROUP BY ALL
    ) GROUP BY ALL
"""
NULLS = """
    SELECT metric, avg(null_zero), avg(null_random), avg(null_edges), avg(null_gradient) FROM read_parquet('{file}')
    WHERE {which} GROUP BY ALL
"""


def main(study: Path, model: str | None = None) -> None:
    """Print the table of all networks, or of one."""
    which = f"model = '{model}'" if model else "true"
    file = study / "tables" / "metrics.parquet"
    means = {(m, k): v for m, k, v in duckdb.sql(QUERY.format(file=file, which=which)).fetchall()}
    nulls = {row[0]: row[1:] for row in duckdb.sql(NULLS.format(file=file, which=which)).fetchall()}
    told = duckdb.sql(
        f"SELECT method, model, level FROM read_csv('{study / 'tables' / 'verdicts.csv'}') WHERE {which}"
    ).fetchall()
    levels: dict[str, list[str]] = {}
    for method, _, level in told:
        levels.setdefault(method, []).append(level)
    head = ["method", *METRICS.values(), "verdicts"]
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    for method, found in levels.items():
        cells = [shown(means.get((method, k))) for k in METRICS]
        print(f"| {method} | {' | '.join(cells)} | {counted(found)} |")
    for position, name in enumerate(("zeros", "random", "edges", "gradient, as the reference")):
        cells = [shown(nulls.get(k, (None,) * 4)[position]) for k in METRICS]
        print(f"| *{name}* | {' | '.join(cells)} | |")


def shown(value: float | None) -> str:
    """Two digits, or a dash."""
    return "–" if value is None or value != value else f"{value:.2g}"


def counted(levels: list[str]) -> str:
    """Equal verdicts of several networks once.

    >>> counted(["fails", "fails", "partly"])
    'fails (2), partly (1)'
    """
    return ", ".join(f"{level} ({levels.count(level)})" for level in dict.fromkeys(levels))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "made" / "study", *sys.argv[2:3])
