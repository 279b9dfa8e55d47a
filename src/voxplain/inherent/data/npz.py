"""Arrays in one `.npz` file: MedMNIST's layout with its own split, or one array of images and one of labels."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.errors import InputError, suggest
from voxplain.inherent.data.naming import EACH
from voxplain.inherent.data.sample import UNKNOWN, Sample, Samples

Arrays = Mapping[str, npt.NDArray[Any]]
_MEDMNIST = {"train": "train", "val": "validation", "test": "test"}
_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    AttributeError,
)
_NAMES = ("image", "label", "group", "mask", "part", "id", "spatial_dims", "classes", "note")


def read_npz(
    path: Path,
    *,
    classes: Sequence[str] | None = None,
    spatial_dims: int | None = None,
    labelled: bool = True,
) -> Samples:
    """The images of a file.

    MedMNIST: ``train_images`` (N, *S) or (N, *S, 3), ``train_labels`` (N, 1), or (N, L) of zeros and ones for L independent
    labels; the same for ``val`` and ``test``. Otherwise ``image`` (N, *S) or (N, C, *S), ``label`` (N,) or (N, L), and where
    they are there ``group`` (N,) (the patient), ``mask`` (N, *S), ``part`` (N,), ``id`` (N,), ``spatial_dims``, ``classes``,
    and ``note``, what a reader of results must know of the data.

    Args:
        path: the file.
        classes: the classes' names in order; by default the numbers.
        spatial_dims: 2 or 3, where (N, a, b, c) could be either.
        labelled: whether there must be labels.

    Raises:
        InputError: a damaged file, arrays that do not fit each other, masks given as labels.
    """
    arrays = _load(path)
    if any(f"{part}_images" in arrays for part in _MEDMNIST):
        return _medmnist(path, arrays, classes, spatial_dims)
    return _generic(path, arrays, classes, spatial_dims, labelled)


def _medmnist(path: Path, arrays: Arrays, classes: Sequence[str] | None, spatial_dims: int | None) -> Samples:
    images, labels, parts = [], [], []
    for part, told in _MEDMNIST.items():
        if f"{part}_images" not in arrays:
            continue
        if f"{part}_labels" not in arrays:
            raise InputError(f"{path}: has {part}_images but no {part}_labels")
        found = _channel_first(
            path, f"{part}_images", arrays[f"{part}_images"], spatial_dims, colour_last=True
        )
        images.append(found)
        labels.append(_labels(path, f"{part}_labels", arrays[f"{part}_labels"], found))
        parts += [told] * len(found)
    if len({array.shape[1:] for array in images}) > 1 or len({array.shape[1:] for array in labels}) > 1:
        raise InputError(f"{path}: train, val and test differ in their images' or labels' shape")
    names = [f"{part}-{i:05d}" for part in dict.fromkeys(parts) for i in range(parts.count(part))]
    return _samples(path, np.concatenate(images), np.concatenate(labels), classes, ids=names, parts=parts)


def _generic(
    path: Path, arrays: Arrays, classes: Sequence[str] | None, spatial_dims: int | None, labelled: bool
) -> Samples:
    found = {
        name.removesuffix("s") if name.removesuffix("s") in _NAMES else name: a for name, a in arrays.items()
    }
    found |= {"classes": arrays["classes"]} if "classes" in arrays else {}
    for needed in ("image", "label") if labelled else ("image",):
        if needed not in found:
            raise InputError(f"{path}: has no array {needed}; {suggest(needed, arrays)}")
    if spatial_dims is None and "spatial_dims" in found:
        spatial_dims = int(found["spatial_dims"])
    images = _channel_first(path, "image", found["image"], spatial_dims, colour_last=False)
    known = "label" in found
    labels = _labels(path, "label", found["label"], images) if known else np.full(len(images), UNKNOWN)
    for name in ("group", "mask", "part", "id"):
        if name in found and len(found[name]) != len(images):
            raise InputError(f"{path}: {name} has {len(found[name])} rows, image has {len(images)}")
    if "mask" in found and found["mask"].shape[1:] != images.shape[2:]:
        raise InputError(
            f"{path}: mask has the shape {found['mask'].shape}, expected {(len(images), *images.shape[2:])}"
        )
    if classes is None and "classes" in found:
        classes = [str(name) for name in found["classes"]]
    texts = {name: [str(v) for v in found[name]] for name in ("group", "part", "id") if name in found}
    return _samples(
        path, images, labels, classes, texts.get("id"), texts.get("group"), texts.get("part"), found.get("mask"),
        [str(text) for text in np.atleast_1d(found["note"])] if "note" in found else [],
    )  # fmt: skip


def _samples(
    path: Path,
    images: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    classes: Sequence[str] | None,
    ids: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    parts: Sequence[str] | None = None,
    masks: npt.NDArray[Any] | None = None,
    notes: Sequence[str] = (),
) -> Samples:
    count = labels.shape[1] if labels.ndim == 2 else int(labels.max()) + 1
    names = tuple(str(i) for i in range(count)) if classes is None else tuple(classes)
    if labels.ndim == 2 and len(names) != count:
        raise InputError(f"classes: found {len(names)} names, but {path} has {count} independent labels")
    told = [f"{i:05d}" for i in range(len(images))] if ids is None else list(ids)
    wrong = set(parts or ()) - set(_MEDMNIST.values())
    if wrong:
        raise InputError(f"{path}: part holds {sorted(wrong)[0]!r}, expected train, validation or test")
    items = tuple(
        Sample(
            name, images[i], _label(labels[i]), name if groups is None else groups[i],
            mask=None if masks is None else masks[i],
        )
        for i, name in enumerate(told)
    )  # fmt: skip
    note = (
        f"{path.name} does not say whose images these are: every image is its own patient ({EACH})"
        if groups is None
        else f"{len(set(groups))} patients by the array group, {len(items)} images"
    )
    own = tuple(parts) if parts is not None else None
    return Samples(items, names, own, (*notes, note), patients_known=groups is not None)


def _label(values: Any) -> int | tuple[int, ...]:
    return tuple(int(i) for i in np.flatnonzero(values)) if np.ndim(values) else int(values)


def _channel_first(
    path: Path, name: str, values: npt.NDArray[Any], spatial_dims: int | None, *, colour_last: bool
) -> npt.NDArray[Any]:
    """(N, C, *S), by the number of axes, or by the number of spatial ones where that is known."""
    if values.dtype.kind not in "biuf":
        raise InputError(f"{path}: {name} holds {values.dtype}, expected numbers")
    axes = values.ndim
    if colour_last and axes in (4, 5) and values.shape[-1] == 3 and spatial_dims in (None, axes - 2):
        return np.moveaxis(values, -1, 1)
    if colour_last and axes == 4 and spatial_dims is None:  # MedMNIST3D: (N, 28, 28, 28)
        spatial_dims = 3
    known = spatial_dims if spatial_dims is not None else {3: 2, 5: 3}.get(axes)
    if known in (2, 3) and axes == known + 2 and values.shape[-1] in (3, 4) and values.shape[1] > 4:
        raise InputError(
            f"{path}: {name} has the shape {values.shape}, which looks like colours in the last axis; expected (N, C, *S): "
            "np.moveaxis(image, -1, 1)"
        )
    if known in (2, 3) and axes == known + 1:
        return values[:, None]
    if known in (2, 3) and axes == known + 2:
        return values
    asked = f" with spatial_dims={spatial_dims}" if spatial_dims is not None else ""
    raise InputError(
        f"{path}: {name} has the shape {values.shape}{asked}, which could be no or several kinds of images; give "
        "(N, *S) or (N, C, *S) and spatial_dims=2 or 3"
    )


def _labels(path: Path, name: str, values: npt.NDArray[Any], images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(N,) classes, or (N, L) zeros and ones."""
    if values.ndim > 2 and values.shape[-2:] == images.shape[-2:]:
        raise InputError(
            f"{path}: {name} has the shape {values.shape} of images, so it is masks; expected one class per image (N,), "
            "and masks under the name mask, for evaluation only"
        )
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (1, 2) or len(values) != len(images):
        raise InputError(
            f"{path}: {name} has the shape {values.shape}, expected ({len(images)},) as there are images"
        )
    if values.dtype.kind not in "biuf" or (values != np.floor(values)).any():
        raise InputError(
            f"{path}: {name} holds {values.dtype} that are no classes, expected whole numbers from 0"
        )
    if values.ndim == 2 and not np.isin(values, (0, 1)).all():
        raise InputError(
            f"{path}: {name} {values.shape} are independent labels, expected zeros and ones only"
        )
    if values.ndim == 2 and len(values) > 1 and (values.sum(1) == 1).all():
        raise InputError(
            f"{path}: {name} {values.shape} has one 1 in every row, so these are classes that exclude each other; expected "
            f"({len(images)},): np.argmax({name}, 1)"
        )
    if values.size and values.min() < 0:
        raise InputError(f"{path}: {name} holds {values.min()}, expected classes from 0")
    return values.astype(np.int64)


def _load(path: Path) -> dict[str, npt.NDArray[Any]]:
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not zipfile.is_zipfile(path):  # numpy would take it for pickled objects
        raise InputError(f"{path}: is no .npz archive, or cut short; write it with np.savez")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except _BROKEN as error:
        if "allow_pickle" in str(error):
            raise InputError(
                f"{path}: holds pickled objects, which are never loaded; save numbers"
            ) from error
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: cannot be read as .npz: {reason}") from error
