"""Cut FLAIR scans of two patients into small pictures, each with a lesion or without: yes or no is all that is learned from.

    python examples/lesions/make.py

Reads `ms_lesion` of the real data (`VOXPLAIN_DATA`, by default `../shared/data` beside the repository). Writes
made/learn-patient19.npz and made/learn-patient07.npz: one patient is learned from, the other one tested on.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("VOXPLAIN_DATA", HERE.parents[2] / "shared" / "data")).resolve()
PATIENTS = ("patient19", "patient07")
CLASSES = ("healthy", "lesion")
EDGE, STEP, EVERY = 32, 16, 2  # millimetres, which are voxels here
CLEAR = 10  # voxels: what holds less of a lesion teaches neither yes nor no
BRAIN = 0.5  # least share of a picture
NOTE = (
    "learned from {learned} alone, whose slices are divided in blocks that count as patients below, and tested on {tested} "
    "alone. Two patients show that it can be done, and prove nothing about others"
)
# slices of the patient who is learned from, in turns: learned from, left out, chosen by, left out
TURN = (*["train"] * 20, *[""] * 5, *["validation"] * 10, *[""] * 5)


@dataclass(frozen=True)
class Tile:
    """A square of an axial slice.

    Attributes:
        corner: its first voxel (i, j, k).
        image: (EDGE, EDGE) float32, in standard deviations of the patient's brain.
        mask: (EDGE, EDGE) of 0 and 1, where a lesion was drawn; for evaluation only.
    """

    corner: tuple[int, int, int]
    image: np.ndarray
    mask: np.ndarray

    @property
    def label(self) -> int:
        """1 where any voxel is of a lesion."""
        return int(self.mask.any())

    @property
    def clear(self) -> bool:
        """Whether it is not a lesion's last voxels."""
        return not 0 < self.mask.sum() < CLEAR


def tiles(flair: np.ndarray, lesions: np.ndarray) -> Iterator[Tile]:
    """Overlapping squares of every second axial slice that show brain in at least half of their area.

    Args:
        flair: (I, J, K), 0 or nearly so outside the brain.
        lesions: of the same shape, > 0 where there is one.
    """
    brain = np.abs(flair) > 1e-3
    scaled = np.where(brain, (flair - flair[brain].mean()) / flair[brain].std(), 0).astype(np.float32)
    ends = [np.flatnonzero(brain.any(tuple(a for a in range(3) if a != axis)))[[0, -1]] for axis in range(3)]
    rows, columns = (range(low, high - EDGE + 2, STEP) for low, high in ends[:2])
    for k in range(ends[2][0], ends[2][1] + 1, EVERY):
        for i in rows:
            for j in columns:
                there = (slice(i, i + EDGE), slice(j, j + EDGE), k)
                if brain[there].mean() >= BRAIN:
                    yield Tile((i, j, k), scaled[there], (lesions[there] > 0).astype(np.uint8))


def part_of(tile: Tile, first: int) -> str:
    """Train, validation or "" (left out) of the patient who is learned from; by blocks of slices from the first one on."""
    return TURN[(tile.corner[2] - first) % len(TURN)] if tile.clear else ""


def data_set(found: dict[str, list[Tile]], learned: str) -> dict[str, np.ndarray]:
    """Arrays of one direction, as `voxplain inherent` reads them.

    Args:
        found: tiles by patient.
        learned: the patient who is learned from; the other one is tested on, with every tile.
    """
    rows = []
    for patient, those in found.items():
        first = min(tile.corner[2] for tile in those)
        for tile in those:
            part = part_of(tile, first) if patient == learned else "test"
            # blocks of the one patient stand for patients: the split refuses a patient in two parts, and it is right
            block = f"{patient} {part} block {(tile.corner[2] - first) // len(TURN)}"
            if part:
                rows.append((tile, part, block if patient == learned else patient, patient))
    images, masks = (np.stack([getattr(tile, name) for tile, *_ in rows]) for name in ("image", "mask"))
    return {
        "image": images,
        "label": np.array([tile.label for tile, *_ in rows]),
        "mask": masks,
        "part": np.array([part for _, part, *_ in rows]),
        "group": np.array([group for _, _, group, _ in rows]),
        "id": np.array([f"{patient}-{'-'.join(map(str, tile.corner))}" for tile, *_, patient in rows]),
        "classes": np.array(CLASSES),
        "note": np.array(NOTE.format(learned=learned, tested=next(p for p in found if p != learned))),
        "spatial_dims": np.array(2),
    }


def read(patient: str) -> list[Tile]:
    """The tiles of a patient's files."""
    folder = DATA / "ms_lesion" / patient
    flair, lesions = (np.asarray(nib.load(folder / f"{name}.nii.gz").dataobj) for name in ("FLAIR", "gt"))
    return list(tiles(flair, lesions))


def main(argv: Sequence[str] | None = None) -> None:
    """Read the options, write both files, tell how many there are of each class."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "made")
    chosen = parser.parse_args(argv)
    if not (DATA / "ms_lesion").is_dir():
        raise SystemExit(
            f"make.py: not there: {DATA / 'ms_lesion'}; set VOXPLAIN_DATA to the folder of real data"
        )
    chosen.out.mkdir(parents=True, exist_ok=True)
    found = {patient: read(patient) for patient in PATIENTS}
    for learned in PATIENTS:
        arrays = data_set(found, learned)
        path = chosen.out / f"learn-{learned}.npz"
        np.savez_compressed(path, **arrays)
        told = [
            f"{part} {np.bincount(arrays['label'][arrays['part'] == part], minlength=2).tolist()}"
            for part in ("train", "validation", "test")
        ]
        print(f"{path}: [healthy, lesion] {', '.join(told)}")


if __name__ == "__main__":
    main()
