"""A tiny nnU-Net, planned, preprocessed and trained by nnU-Net itself in seconds, in one process."""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.pool
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from voxplain.case import Case, Geometry, write_array

NAME = "Dataset901_Phantom"
CONFIGURATION = "3d_fullres"
LABELS = {"background": 0, "liver": 1, "lung": 2}
REGIONS = {"background": 0, "organ": [1, 2], "lung": [2]}
# nnU-Net's axes (k, j, i) are transposed, since slices are thickest along i
SPACING = (3.0, 1.2, 1.0)


def subject(
    number: int,
    shape: tuple[int, ...] = (11, 20, 24),
    *,
    spacing: tuple[float, ...] = SPACING,
    turn: np.ndarray | None = None,
    border: int = 2,
) -> Case:
    """A body with a bright and a dark organ, in air that is zero; ``turn`` (3, 3) rotates or flips it in space."""
    rng = np.random.default_rng(number)
    places = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    label = np.zeros(shape, np.int32)
    for value, centre in ((1, 0.4), (2, -0.4)):
        offset = np.array([0.1, centre, 0.1 * number / 4]).reshape(3, 1, 1, 1)
        label[(((places - offset) / 0.45) ** 2).sum(0) < 1] = value
    image = np.choose(label, [100.0, 180.0, 30.0]) + rng.normal(0, 12, shape)
    inner = tuple(slice(border, n - border + 1) for n in shape)
    inside = np.zeros(shape, bool)
    inside[inner] = True
    image, label = np.where(inside, image, 0), np.where(inside, label, 0)
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if turn is None else turn) @ np.diag(spacing)
    affine[:3, 3] = (-20, 7, 31)
    return Case(f"s{number}", image[None].astype(np.float32), Geometry(affine, shape), label, {})


def write_dataset(
    raw: Path, labels: Mapping[str, Any] = LABELS, reader: str | None = None, count: int = 3
) -> None:
    """The raw dataset as nnU-Net wants it."""
    for name in ("imagesTr", "labelsTr"):
        (raw / NAME / name).mkdir(parents=True)
    for number in range(count):
        case = subject(number)
        write_array(raw / NAME / "imagesTr" / f"s{number}_0000.nii.gz", case.image, case.geometry)
        write_array(raw / NAME / "labelsTr" / f"s{number}.nii.gz", case.label.astype(np.uint8), case.geometry)
    content: dict[str, Any] = {
        "channel_names": {"0": "MRI"},
        "labels": dict(labels),
        "numTraining": count,
        "file_ending": ".nii.gz",
    }
    if any(isinstance(v, list) for v in labels.values()):
        content["regions_class_order"] = [1, 2]
    if reader:
        content["overwrite_image_reader_writer"] = reader
    (raw / NAME / "dataset.json").write_text(json.dumps(content))


@contextmanager
def in_one_process(root: Path) -> Iterator[None]:
    """nnU-Net's folders below ``root``, its pools as threads, its loaders in this thread, its chatter away."""
    wanted = {f"nnUNet_{name}": str(root / name) for name in ("raw", "preprocessed", "results")}
    wanted |= {"nnUNet_n_proc_DA": "0", "nnUNet_compile": "false", "MPLBACKEND": "agg"}
    own, threads, random = multiprocessing.get_context, torch.get_num_threads(), np.random.get_state()  # noqa: NPY002
    multiprocessing.get_context = lambda *_: SimpleNamespace(Pool=multiprocessing.pool.ThreadPool)
    try:
        with (
            patch.dict(os.environ, wanted),
            Path(os.devnull).open("w") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
            torch.random.fork_rng(),
        ):
            yield
    finally:
        multiprocessing.get_context = own
        torch.set_num_threads(threads)
        np.random.set_state(random)  # noqa: NPY002


def small(plans: dict[str, Any]) -> dict[str, Any]:
    """nnU-Net's own plans, with a network and a patch for tests."""
    configuration = plans["configurations"][CONFIGURATION]
    configuration |= {"patch_size": [6, 12, 16], "batch_size": 2}
    configuration["architecture"]["arch_kwargs"] |= {
        "n_stages": 3,  # with fewer, nnU-Net's weights of deep supervision are 0 / 0
        "features_per_stage": [4, 8, 8],
        "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
        "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
        "n_conv_per_stage": [1, 1, 1],
        "n_conv_per_stage_decoder": [1, 1],
    }
    return plans


def train(root: Path, folds: tuple[int, ...] = (0, 1), iterations: int = 6) -> Path:
    """Plan, preprocess and train; the folder of the trained model."""
    from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import (
        DatasetFingerprintExtractor,
    )
    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    preprocessed = root / "preprocessed" / NAME
    with in_one_process(root), patch("nnunetv2.utilities.utils.Pool", multiprocessing.pool.ThreadPool):
        extractor = DatasetFingerprintExtractor(NAME, num_processes=1)
        extractor.num_foreground_voxels_for_intensitystats = 1000
        extractor.run()
        with patch.dict(os.environ, {"nnUNet_n_proc_DA": "1"}):  # it takes that number of threads
            ExperimentPlanner(NAME).plan_experiment()
        file = preprocessed / "nnUNetPlans.json"
        file.write_text(json.dumps(small(json.loads(file.read_text()))))
        DefaultPreprocessor(verbose=False).run(NAME, CONFIGURATION, "nnUNetPlans", num_processes=1)
        names = sorted(p.name.split("_")[0] for p in (root / "raw" / NAME / "imagesTr").glob("*.nii.gz"))
        splits = [{"train": [n for n in names if n != out], "val": [out]} for out in names]
        (preprocessed / "splits_final.json").write_text(json.dumps(splits))
        for fold in folds:
            torch.manual_seed(fold)
            plans = json.loads(file.read_text()) | {"continue_training": False}
            dataset = json.loads((root / "raw" / NAME / "dataset.json").read_text())
            trainer = nnUNetTrainer(plans, CONFIGURATION, fold, dataset, device=torch.device("cpu"))
            trainer.num_epochs, trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch = (
                1,
                iterations,
                1,
            )
            trainer.logger.plot_progress_png = lambda *_: None
            trainer.run_training()
    return root / "results" / NAME / f"nnUNetTrainer__nnUNetPlans__{CONFIGURATION}"


def untrained(
    trained: Path,
    to: Path,
    *,
    configuration: str = CONFIGURATION,
    change: Mapping[str, Any] | None = None,
    labels: Mapping[str, Any] | None = None,
    plans_change: Mapping[str, Any] | None = None,
    mirroring: tuple[int, ...] = (0, 1, 2),
) -> Path:
    """Another model of the same layout, with random weights: the trained one's plans and labels, changed."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    plans = json.loads((trained / "plans.json").read_text()) | dict(plans_change or {})
    dataset = json.loads((trained / "dataset.json").read_text())
    plans["configurations"][configuration] |= dict(change or {})
    if labels is not None:
        dataset |= {"labels": dict(labels), "regions_class_order": [1, 2]}
    (to / "fold_0").mkdir(parents=True)
    (to / "plans.json").write_text(json.dumps(plans))
    (to / "dataset.json").write_text(json.dumps(dataset))
    manager = PlansManager(plans)
    heads = manager.get_label_manager(dataset).num_segmentation_heads
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nnUNetTrainer.build_network_architecture(
            manager, manager.get_configuration(configuration), 1, heads, enable_deep_supervision=True
        )
    checkpoint = {
        "network_weights": network.state_dict(),
        "trainer_name": "nnUNetTrainer",
        "init_args": {"configuration": configuration, "device": torch.device("cpu")},
        "inference_allowed_mirroring_axes": mirroring,
    }
    torch.save(checkpoint, to / "fold_0" / "checkpoint_final.pth")
    return to
