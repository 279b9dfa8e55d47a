"""Find real heads and networks, and write the table of cases.

    python examples/heads/make.py

Heads: those of the real data (`VOXPLAIN_DATA`, by default `../shared/data` beside the repository) and the MNI152 template
that comes with nilearn. Writes made/cases.csv, and made/models, a link to the data's networks.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("VOXPLAIN_DATA", HERE.parents[2] / "shared" / "data")).resolve()
TEMPLATE = Path(str(files("nilearn.datasets"))) / "data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
# id: (image, what is left of the head, who)
HEADS = {
    "head": (DATA / "brain_t1/head_t1_1.75mm.nii.gz", "whole", "healthy"),
    "mni152": (TEMPLATE, "brain", "mean of 152"),
    "ms07": (DATA / "ms_lesion/patient07/T1.nii.gz", "brain", "multiple sclerosis"),
    "ms19": (DATA / "ms_lesion/patient19/T1.nii.gz", "brain", "multiple sclerosis"),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Read the options, write the table, say what is not there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "made")
    chosen = parser.parse_args(argv)
    missing = [
        str(path) for path in (DATA / "models/nets.py", *(h[0] for h in HEADS.values())) if not path.exists()
    ]
    if missing:
        raise SystemExit(
            f"make.py: not there: {', '.join(missing)}; set VOXPLAIN_DATA to the folder of real data"
        )
    chosen.out.mkdir(parents=True, exist_ok=True)
    link = chosen.out / "models"
    link.unlink(missing_ok=True)
    link.symlink_to(DATA / "models", target_is_directory=True)
    with (chosen.out / "cases.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "image", "left", "who"])
        writer.writerows([name, path, left, who] for name, (path, left, who) in HEADS.items())
    print(chosen.out / "cases.csv")


if __name__ == "__main__":
    main()
