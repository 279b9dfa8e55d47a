"""What the published protocol says about explanations of the vessel networks, and about maps that explain nothing.

    python examples/vessels/published.py

Needs what make.py makes, and Captum. Writes made/published.csv, one row per network, case, wrapper and method, and
made/published.md, a table over networks and cases per wrapper: once with the published one, whose gradient is zero,
once with sums of logits over the predicted mask.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

# As a script, its own folder is importable, but not the package that it is part of.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from rich.progress import track
from safetensors.torch import load_file
from torch import Tensor, nn

from vessels.protocol import ZEROS, judge, methods
from vessels.training import NETWORKS
from vessels.wrappers import MaskedSums, ThresholdCounts
from voxplain.case import read_case
from voxplain.case.atomic import write_whole
from voxplain.demo.networks import zscore
from voxplain.errors import InputError, VoxplainError

MADE = Path(__file__).resolve().parent / "made"
WRAPPERS: dict[str, Callable[[nn.Module, Tensor], nn.Module]] = {
    "threshold": lambda network, x: ThresholdCounts(network),
    "sum": MaskedSums,
}
TITLES = {
    "threshold": "With the published wrapper (voxel counts)",
    "sum": "With sums of logits over the predicted mask",
}


def rows(made: Path, *, cases: int, nodes: int, seed: int) -> list[dict[str, Any]]:
    """Every network, case, wrapper and method.

    Raises:
        VoxplainError: Captum is missing, or what make.py makes is.
    """
    asked = [(name, number) for name in NETWORKS for number in range(1, cases + 1)]
    found = []
    for name, number in track(asked, description="published protocol"):
        network, x = _network(made, name), _image(made, number)
        for wrapper, wrap in WRAPPERS.items():
            wrapped = wrap(network, x).eval()
            for method, explain in methods(x, nodes=nodes, seed=seed).items():
                row = judge(method, explain, wrapped, x, seed=seed)
                found.append(
                    {"network": name, "case": f"case-{number:02d}", "wrapper": wrapper} | asdict(row)
                )
    return found


def page(found: Sequence[dict[str, Any]]) -> str:
    """The tables, in Markdown: medians over networks and cases."""
    return "\n".join(line for wrapper in WRAPPERS for line in _table(found, wrapper))


def _table(found: Sequence[dict[str, Any]], wrapper: str) -> list[str]:
    mine = [row for row in found if row["wrapper"] == wrapper]
    zeros = {(r["network"], r["case"]): r["infidelity"] for r in mine if r["method"] == ZEROS}
    lines = [
        f"### {TITLES[wrapper]}", "",
        "| map | non-zero voxels | infidelity | zeros do as well in | infidelity, vessel only | sensitivity | failed |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for method in dict.fromkeys(row["method"] for row in mine):
        every = [row for row in mine if row["method"] == method]
        good = [row for row in every if not row["error"]]
        failed = f"{len(every) - len(good)} of {len(every)}" if len(good) < len(every) else "–"
        if not good:
            lines.append(f"| {method} | – | – | – | – | – | {failed} |")
            continue
        middle = {
            key: statistics.median(row[key] for row in good)
            for key in ("nonzero", "infidelity", "infidelity_target", "sensitivity")
        }
        beaten = sum(zeros[row["network"], row["case"]] <= row["infidelity"] for row in good)
        lines.append(
            f"| {method} | {middle['nonzero']:.1%} | {middle['infidelity']:.2g} | {beaten} of {len(good)} "
            f"| {middle['infidelity_target']:.2g} | {middle['sensitivity']:.2g} | {failed} |"
        )
    reasons = sorted({f"{row['method']}: {row['error']}" for row in mine if row["error"]})
    return [*lines, "", *(f"- {reason}" for reason in reasons), *([""] if reasons else [])]


def _network(made: Path, name: str) -> nn.Module:
    file = made / f"{name}.safetensors"
    if not file.is_file():
        raise InputError(f"{file}: not there; python examples/vessels/make.py makes it")
    widths = json.loads((made / "made.json").read_text(encoding="utf-8"))["settings"]["widths"]
    network = NETWORKS[name][0](widths=widths)
    network.load_state_dict(load_file(file))
    return network.eval()


def _image(made: Path, number: int) -> Tensor:
    file = made / "cases" / f"case-{number:02d}.nii.gz"
    # NIfTI's axes are read as a view, and Captum takes contiguous images only
    return torch.from_numpy(np.ascontiguousarray(zscore(read_case(file).image)))[None]


def main(argv: Sequence[str] | None = None) -> None:
    """Read the options, ask, write both files, print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--made", type=Path, default=MADE, help="where make.py wrote")
    parser.add_argument("--cases", type=int, default=2)
    parser.add_argument("--nodes", type=int, default=50, help="of integrated gradients")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(argv)
    try:
        found = rows(chosen.made, cases=chosen.cases, nodes=chosen.nodes, seed=chosen.seed)
    except VoxplainError as error:
        raise SystemExit(f"published.py: {error}") from None
    text = io.StringIO()
    writer = csv.DictWriter(text, list(found[0]))
    writer.writeheader()
    writer.writerows(found)
    write_whole(chosen.made / "published.csv", text.getvalue().encode())
    write_whole(chosen.made / "published.md", page(found).encode())
    print(page(found))
    print(chosen.made / "published.md")


if __name__ == "__main__":
    main()
