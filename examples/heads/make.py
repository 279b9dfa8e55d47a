"""Find real heads and networks, and write the table of cases.

    python examples/heads/make.py

Heads: those of the real data (`VOXPLAIN_DATA`, by default `../shared/data` beside the repository) and the MNI152 template
that comes with nilearn. Writes made/cases.csv, made/brains.csv (the first one cut to a box around its brain, brain.nii.gz,
and the template), and made/models, a link to the data's networks.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import nibabel as nib
import numpy as np

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("VOXPLAIN_DATA", HERE.parents[2] / "shared" / "data")).resolve()
TEMPLATE = Path(str(files("nilearn.datasets"))) / "data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
# id: (image, skull, who)
HEADS = {
    "head": (DATA / "brain_t1/head_t1_1.75mm.nii.gz", "there", "healthy"),
    "mni152": (TEMPLATE, "taken off", "mean of 152"),
    "ms07": (DATA / "ms_lesion/patient07/T1.nii.gz", "taken off", "multiple sclerosis"),
    "ms19": (DATA / "ms_lesion/patient19/T1.nii.gz", "taken off", "multiple sclerosis"),
}
BOX = (slice(25, 113), slice(10, 123), slice(6, 93))  # voxels of the first head: its brain and 10 mm around


def write_table(path: Path, heads: dict[str, tuple[Path, str, str]]) -> None:
    """Cases with what is known of them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "image", "skull", "who"])
        writer.writerows([name, image, skull, who] for name, (image, skull, who) in heads.items())
    print(path)


def clipped(path: Path, name: str, out: Path) -> Path:
    """The image without what resampling has left below 0, its background; written only where there is any."""
    image = nib.load(path)
    values = np.asanyarray(image.dataobj)
    if values.min() >= 0:
        return path
    own = out / f"{name}.nii.gz"
    nib.save(nib.Nifti1Image(np.clip(values, 0, None), image.affine, image.header), own)
    return own.resolve()


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
    write_table(
        chosen.out / "cases.csv",
        {name: (clipped(h[0], name, chosen.out), *h[1:]) for name, h in HEADS.items()},
    )
    brain = chosen.out / "brain.nii.gz"
    nib.save(nib.load(HEADS["head"][0]).slicer[BOX], brain)
    write_table(chosen.out / "brains.csv", {"brain": (brain, "box", "healthy"), "mni152": HEADS["mni152"]})


if __name__ == "__main__":
    main()
