"""nnU-Net's own way from a file to logits and labels, and its windows summed up in full precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voxplain.case import Case, write_case


@contextmanager
def quiet() -> Iterator[None]:
    """nnU-Net prints, and sets the number of threads."""
    threads = torch.get_num_threads()
    try:
        with redirect_stdout(StringIO()):
            yield
    finally:
        torch.set_num_threads(threads)


class Peer:
    """nnUNetPredictor on a trained folder."""

    def __init__(self, folder: Path, folds: Sequence[int] | None = None, *, mirroring: bool = True) -> None:
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

        with quiet():
            self.own = nnUNetPredictor(
                use_mirroring=mirroring, device=torch.device("cpu"), allow_tqdm=False, verbose=False
            )
            self.own.initialize_from_trained_model_folder(str(folder), folds, "checkpoint_final.pth")

    def prepared(self, file: Path) -> np.ndarray:
        """(C, *S) of a file, by its reader and its preprocessor."""
        steps = self.own.configuration_manager.preprocessor_class(verbose=False)
        with quiet():
            return steps.run_case(
                [str(file)],
                None,
                self.own.plans_manager,
                self.own.configuration_manager,
                self.own.dataset_json,
            )[0]

    def logits(self, prepared: np.ndarray) -> Tensor:
        """(K, *S) in the half precision that it sums in."""
        with quiet():
            return self.own.predict_logits_from_preprocessed_data(torch.from_numpy(prepared)).float()

    def whole_logits(self, prepared: np.ndarray, dtype: torch.dtype = torch.float64) -> Tensor:
        """(K, *S): its padding, windows, mirroring, weights and folds, summed in ``dtype``."""
        from acvl_utils.cropping_and_padding.padding import pad_nd_image
        from nnunetv2.inference.sliding_window_prediction import compute_gaussian

        patch = tuple(self.own.configuration_manager.patch_size)
        weights = compute_gaussian.__wrapped__(patch, 1 / 8, 10, torch.float64, torch.device("cpu")).to(dtype)
        image = torch.from_numpy(prepared).to(dtype)
        image, inner = pad_nd_image(image, patch, "constant", {"value": 0}, True, None)
        network = self.own.network.to(dtype).eval()
        means = []
        for parameters in self.own.list_of_parameters:
            network.load_state_dict(parameters)
            total, weight = 0.0 * image[:1].repeat(self._heads, *[1] * len(image.shape[1:])), 0.0 * image[0]
            for where in self.own._internal_get_sliding_window_slicers(image.shape[1:]):
                total[where] += self.own._internal_maybe_mirror_and_predict(image[where][None])[0] * weights
                weight[where[1:]] += weights
            means.append(total / weight)
        network.float()
        return (sum(means) / len(means))[(slice(None), *inner[1:])]

    def segmentation(self, file: Path) -> np.ndarray:
        """Labels on the file's own voxels (i, j, k)."""
        with quiet():
            found = self.own.predict_from_files_sequential([[str(file)]], None)[0]
        return found.transpose(2, 1, 0)

    @property
    def _heads(self) -> int:
        return self.own.label_manager.num_segmentation_heads


def written(case: Case, folder: Path) -> Path:
    """The case as a file that nnU-Net reads."""
    file = folder / f"{case.id}_0000.nii.gz"
    write_case(file, case)
    return file


def rotation(degrees: float = 20.0) -> np.ndarray:
    """About an oblique axis."""
    from scipy.spatial.transform import Rotation

    axis = np.array([1.0, 2.0, -1.0]) / np.sqrt(6)
    return Rotation.from_rotvec(np.deg2rad(degrees) * axis).as_matrix()


def stitched(problem: Any) -> Tensor:
    """The problem's model over its windows, (K, *S)."""
    from voxplain.engine.layout import Layout

    model, image = problem.model, problem.image
    layout = Layout(tuple(image.shape[1:]), model.windows, image.dtype)
    padded = layout.pad(image)
    total = torch.zeros(model.channels_out, *layout.padded, dtype=image.dtype)
    with model.frozen(), torch.no_grad():
        for window, where in enumerate(layout.slices):
            total[(slice(None), *where)] += (
                layout.weight(window) * model.forward(padded[(slice(None), *where)][None])[0]
            )
    return layout.unpad(total)
