"""The brain tumours of Cheng et al. (figshare 1512427): one MATLAB 7.3 file per slice of a contrast-enhanced T1 scan.

Each file holds ``cjdata`` with ``label`` (1 meningioma, 2 glioma, 3 pituitary tumour), ``PID`` (the patient), ``image``,
``tumorBorder`` and ``tumorMask``: 3064 slices of 233 patients. MATLAB 7.3 is HDF5, whose axes come in reverse.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from voxplain.errors import InputError
from voxplain.inherent.data.sample import Sample, Samples, listed

Found = TypeVar("Found")
SUFFIX = ".mat"
CLASSES = ("meningioma", "glioma", "pituitary")


def read_figshare(folder: Path) -> Samples:
    """The slices of a folder and its subfolders, grouped by patient. There is no healthy class.

    Raises:
        InputError: no such files, or files that are not of this layout.
    """
    files = sorted(folder.rglob(f"*{SUFFIX}"), key=lambda path: (len(path.stem), path.stem))
    # cvind.mat divides the patients into the authors' folds; it is no slice
    files = [path for path in files if path.stem != "cvind"]
    if not files:
        raise InputError(
            f"{folder}: holds no {SUFFIX} files; expected the unpacked archives of figshare 1512427"
        )
    items = tuple(_sample(path) for path in files)
    groups = {sample.group for sample in items}
    return Samples(items, CLASSES, notes=(f"{len(groups)} patients by PID, {len(items)} slices",))


def read_image(path: Path) -> npt.NDArray[np.float32]:
    """(rows, columns), in the scan's units."""
    return _opened(path, lambda data: np.array(np.asarray(data["image"], np.float32).T, order="C"))


def read_tumour(path: Path) -> npt.NDArray[np.bool_]:
    """(rows, columns), where the tumour is."""
    return _opened(path, lambda data: np.array(np.asarray(data["tumorMask"]).T > 0, order="C"))


def _sample(path: Path) -> Sample:
    label, patient = _opened(path, lambda data: (_number(data["label"]), _text(data["PID"])))
    if label not in (1, 2, 3):
        raise InputError(f"{path}: cjdata/label is {label:g}, expected 1, 2 or 3 ({listed(CLASSES)})")
    if not patient:
        raise InputError(f"{path}: cjdata/PID is empty, expected the patient")
    return Sample(path.stem, path, int(label) - 1, patient, mask=path)


def _number(values: Any) -> float:
    return float(np.asarray(values).reshape(-1)[0])


def _text(values: Any) -> str:
    """MATLAB keeps text as the codes of its letters."""
    return "".join(chr(int(code)) for code in np.asarray(values).reshape(-1) if code).strip()


def _opened(path: Path, take: Callable[[Any], Found]) -> Found:
    try:
        import h5py
    except ImportError:
        raise InputError(
            f"{path}: MATLAB 7.3 files need h5py, which is not installed; pip install 'voxplain[matlab]'"
        ) from None
    try:
        with h5py.File(path, "r") as file:
            return take(file["cjdata"])
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except KeyError as error:
        raise InputError(
            f"{path}: lacks a field of Cheng's layout ({error.args[0]}); expected cjdata with label, PID, image, tumorMask"
        ) from None
    except OSError as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: cannot be read as MATLAB 7.3 (HDF5): {reason}") from None
