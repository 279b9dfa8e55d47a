"""nnU-Net's own preprocessing, and where its voxels lie."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from voxplain.errors import InputError, ModelError
from voxplain.model.checks import first_line
from voxplain.model.custom import KEY
from voxplain.model.nnunet import folder, library

Array = npt.NDArray[Any]

# How nnU-Net's readers lay out an array: as medical images (k, j, i), the same turned to RAS first, or as stored.
_REVERSED = ("SimpleITKIO", "NibabelIO")
_TURNED = ("SimpleITKIOWithReorient", "NibabelIOWithReorient")
_STORED = ("NaturalImage2DIO", "Tiff3DIO")
_TURNED_BEFORE = "TotalSegmentator"  # in a dataset's name: turned to RAS before nnU-Net is called
_RESAMPLING = "nnunetv2.preprocessing.resampling"
_FAR = 999  # what nnU-Net takes as the distance of slices of a 2-D image, in the largest spacing


class Steps:
    """A dictionary transform that does what nnU-Net does between reading a file and the network.

    The axes are turned as its reader and its plans say, the image is cropped to what is not zero, its intensities are
    normalised, and it is resampled, all by nnU-Net's preprocessor. The result's affine says where the voxels lie.

    Args:
        plans: nnU-Net's PlansManager.
        configuration: its ConfigurationManager.
        dataset: the content of dataset.json.
        where: the model's folder, for messages.

    Raises:
        ModelError: steps that are not nnU-Net's own, or that the plans do not say.
    """

    def __init__(self, plans: Any, configuration: Any, dataset: dict[str, Any], where: Path) -> None:
        self.plans, self.configuration, self.dataset = plans, configuration, dataset
        self.reader = str(plans.plans.get("image_reader_writer"))
        if self.reader not in (*_REVERSED, *_TURNED, *_STORED):
            raise ModelError(
                f"nnU-Net folder {where}: its images were read by {self.reader!r}, whose order of axes is not known; "
                "pass prepare=… instead"
            )
        _refuse_parts(plans, configuration, where / folder.PLANS)
        own = library.load("nnunetv2.preprocessing.preprocessors.default_preprocessor").DefaultPreprocessor
        found = configuration.preprocessor_class
        if not (isinstance(found, type) and issubclass(found, own)):
            raise ModelError(
                f"nnU-Net folder {where}: its preprocessor {configuration.preprocessor_name!r} is not nnU-Net's own; "
                "pass prepare=… instead"
            )
        self.is_turned = self.reader in _TURNED or of_totalsegmentator(plans)
        self.preprocessor = found(verbose=False)
        self.channels = channel_names(dataset)
        spacing = "×".join(f"{float(n):.3g}" for n in configuration.spacing)
        reader = f"{self.reader}, turned to RAS" if self.is_turned else self.reader
        self.summary = (
            f"nnU-Net's: {reader}, spacing {spacing} mm, {', '.join(configuration.normalization_schemes)}"
        )
        self.turn = tuple(int(axis) for axis in plans.transpose_forward)

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """The image as the network wants it.

        Args:
            data: ``"image"`` is a MetaTensor (C, *spatial), whose ``meta`` says whether it ``has_geometry`` and which
                axis of the volume it lacks (``"flat"``).

        Raises:
            InputError: other channels, an image that is all zero, a slice along another axis.
        """
        from monai.data import MetaTensor

        image = data[KEY]
        self._check(image)
        values, affine = image.as_tensor().numpy(), np.asarray(image.affine, dtype=np.float64)
        flat = values.ndim == 3
        if flat:
            values, affine = values[..., None], _lifted(affine)
        if self.is_turned:
            values, affine = _to_ras(values, affine)
        order = self._order(image, flat)
        values, affine = values.transpose(0, *(axis + 1 for axis in order)), affine @ _permutation(order)
        spacing = [float(np.float32(n)) for n in np.linalg.norm(affine[:3, :3], axis=0)]
        if flat:
            spacing[self.turn[0]] = _FAR * max(s for a, s in enumerate(spacing) if a != self.turn[0])
        prepared, place = self._run(values, spacing)
        affine = affine @ _permutation(self.turn) @ place
        if flat:
            prepared, affine = prepared[:, 0], affine[np.ix_([0, 1, 3], [1, 2, 3])]
        return {
            **data,
            KEY: MetaTensor(torch.from_numpy(np.ascontiguousarray(prepared)), affine=torch.tensor(affine)),
        }

    def _check(self, image: Any) -> None:
        found = int(image.shape[0])
        if found != len(self.channels):
            raise InputError(
                f"image: found {found} channel{'s' if found > 1 else ''}, but this nnU-Net takes {len(self.channels)}: "
                f"{', '.join(self.channels)}; give one file per channel in this order"
            )
        if not bool((image != 0).any()):
            raise InputError("image: all voxels are zero, of which nnU-Net crops everything")

    def _order(self, image: Any, flat: bool) -> tuple[int, ...]:
        """Which axis of the image each axis of nnU-Net's array runs along."""
        stored = not image.meta.get("has_geometry", True) and (flat or self.reader in _STORED)
        if not flat:
            return (0, 1, 2) if stored else (2, 1, 0)
        if self.is_turned:
            raise InputError(
                "image: one slice of a volume, but this nnU-Net turns volumes to RAS first; give a 3-D network the volume"
            )
        axis = image.meta.get("flat", 2)
        if not stored and 2 - axis != self.turn[0]:
            asked, wanted = "ijk"[axis], "ijk"[2 - self.turn[0]]
            raise InputError(
                f"slice: found one along {asked}, but this network was trained on slices along {wanted}; "
                f"give --slice {wanted}=…"
            )
        plane = [0, 1] if stored else [1, 0]
        plane.insert(self.turn[0], 2)
        return tuple(plane)

    def _run(self, values: Array, spacing: list[float]) -> tuple[npt.NDArray[np.float32], Array]:
        """nnU-Net's steps, and the matrix from their voxels to those of the turned image."""
        properties: dict[str, Any] = {"spacing": spacing}
        # it tells in the dictionary that it was given what it has cropped
        prepared = self.preprocessor.run_case_npy(
            values, None, properties, self.plans, self.configuration, self.dataset
        )[0]
        old = np.array(properties["shape_after_cropping_and_before_resampling"], dtype=float)
        ratio = old / np.array(prepared.shape[1:])
        place = np.eye(4)
        place[:3, :3] = np.diag(ratio)
        # resampling aligns the outer faces of the corner voxels
        place[:3, 3] = [low for low, _ in properties["bbox_used_for_cropping"]] + ratio / 2 - 0.5
        return np.asarray(prepared, dtype=np.float32), place


def of_totalsegmentator(plans: Any) -> bool:
    """Whether TotalSegmentator runs this network: on images in RAS, without mirroring."""
    return _TURNED_BEFORE in str(plans.plans.get("dataset_name"))


def _refuse_parts(plans: Any, configuration: Any, file: Path) -> None:
    """Refuse plans that leave out what preprocessing needs, before a case is read.

    Raises:
        ModelError: naming it.
    """
    try:
        spacing, turn = configuration.spacing, plans.transpose_forward
        for name in ("preprocessor_name", "normalization_schemes", "use_mask_for_norm"):
            getattr(configuration, name)
        _ = plans.foreground_intensity_properties_per_channel
    except KeyError as error:
        raise ModelError(f"{file}: no {error}, which nnU-Net's preprocessing needs") from error
    dims = len(configuration.patch_size)
    if not (isinstance(spacing, list) and len(spacing) in {dims, 3} and all(map(_is_positive, spacing))):
        raise ModelError(f"{file}: spacing is {spacing!r}, expected {dims} positive numbers")
    if not isinstance(turn, list) or tuple(turn) not in list(permutations(range(3))):
        raise ModelError(f"{file}: transpose_forward is {turn!r}, expected 0, 1 and 2 in some order")
    for name in ("resampling_fn_data", "resampling_fn_seg"):
        _refuse_resampling(configuration, name, file)


def _is_positive(number: Any) -> bool:
    return isinstance(number, (int, float)) and 0 < number < float("inf")


def _refuse_resampling(configuration: Any, name: str, file: Path) -> None:
    try:
        found = getattr(configuration, name).func
    except KeyError as error:
        raise ModelError(f"{file}: no {error}, which nnU-Net's preprocessing needs") from error
    except Exception as error:
        raise ModelError(
            f"{file}: {name} is {configuration.configuration[name]!r}, which cannot be used ({first_line(error)})"
        ) from error
    # the search of nnU-Net finds what its modules import, too
    if not getattr(found, "__module__", "").startswith(f"{_RESAMPLING}."):
        raise ModelError(
            f"{file}: {name} is {configuration.configuration[name]!r}, expected a function of {_RESAMPLING}; "
            "pass prepare=… instead"
        )


def channel_names(dataset: dict[str, Any]) -> tuple[str, ...]:
    """What each channel of the image is, in their order."""
    named: dict[str, Any] = dataset["modality"] if "modality" in dataset else dataset["channel_names"]
    return tuple(str(named[key]) for key in sorted(named, key=int))


def _to_ras(values: Array, affine: Array) -> tuple[Array, Array]:
    """Axes permuted and flipped until they grow towards right, anterior and superior, as nearly as they can."""
    from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

    orientation = io_orientation(affine)
    turned = np.moveaxis(apply_orientation(np.moveaxis(values, 0, -1), orientation), -1, 0)
    return turned, affine @ inv_ornt_aff(orientation, values.shape[1:])


def _permutation(order: tuple[int, ...]) -> Array:
    """From the voxels of an array to those of another, whose axis ``order[a]`` its axis a runs along."""
    out = np.zeros((4, 4))
    out[[*order, 3], range(4)] = 1
    return out


def _lifted(affine: Array) -> Array:
    out = np.eye(4)
    out[np.ix_([0, 1, 3], [0, 1, 3])] = affine
    return out
