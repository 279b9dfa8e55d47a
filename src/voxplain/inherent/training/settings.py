"""How a classifier is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from voxplain.inherent.data.augment import AugmentSettings
from voxplain.settings.fields import Device
from voxplain.settings.section import Section, setting

Metric = Literal["loss", "accuracy", "balanced_accuracy", "auroc", "f1"]
# Settings that change where and how fast a training runs, but not what it computes.
WHEREABOUTS = (
    "device", "devices", "strategy", "workers", "cache", "checkpoint_every", "tensorboard", "progress", "duplicates",
    "deterministic",
)  # fmt: skip


class TrainingSettings(Section):
    """How a classifier is trained; the network, the data and their preparation are given beside."""

    epochs: int = setting(50, "passes over the training part", ge=1)
    batch: int = setting(16, "samples per forward pass, over all processes", "samples", ge=1)
    accumulate: int = setting(1, "forward passes per step of the optimiser", ge=1)
    learning_rate: float = setting(1e-3, "AdamW's, at its highest", gt=0)
    weight_decay: float = setting(1e-4, "AdamW's, of weights but not of biases and norms", ge=0)
    schedule: Literal["cosine", "one-cycle", "constant"] = setting(
        "cosine", "how the learning rate falls: along a cosine, after a long rise (Smith 2018), or not at all"
    )
    warm_up: float = setting(
        0.05, "share of the steps in which the rate rises; one-cycle: at least 0.3", ge=0, lt=1
    )
    clip: float | None = setting(1.0, "largest norm of all gradients together; none: any", gt=0)
    balance: Literal["weights", "sampling", "none"] = setting(
        "weights", "what makes rare classes count: weights in the loss, drawing them more often, or nothing"
    )
    average: float | None = setting(
        None,
        "decay of a moving average of the weights that is validated and kept instead, such as 0.999",
        gt=0,
        lt=1,
    )
    monitor: Metric = setting("loss", "what of the validation part chooses the best epoch")
    patience: int | None = setting(
        None, "epochs without a better one before training stops; none: never", ge=1
    )
    precision: Literal["fp32", "bf16", "fp16"] = setting("fp32", "bf16 and fp16 use autocast")
    augment: AugmentSettings | None = Field(
        default=AugmentSettings(), description="random changes of images; none: as they are"
    )
    seed: int = setting(0, "of order, augmentation and dropout", ge=0)
    device: Device = setting("auto", "auto (a GPU where there is one), cpu, cuda:0, …")
    devices: int = setting(1, "processes that share every batch (DDP)", ge=1)
    strategy: Literal["ddp_spawn", "ddp_fork", "ddp"] = setting(
        "ddp_spawn", "how several processes start; ddp where torchrun has started them"
    )
    workers: int = setting(0, "processes that load and augment; results do not depend on it", ge=0)
    cache: float = setting(4.0, "memory for prepared images", "gigabytes", ge=0)
    checkpoint_every: int | None = setting(
        None, "steps between checkpoints beside those after every epoch", ge=1
    )
    duplicates: bool = setting(True, "look for nearly equal images in different parts")
    deterministic: bool = setting(False, "refuse fast GPU kernels that round differently every time")
    tensorboard: bool = setting(False, "write curves for TensorBoard, too")
    progress: bool = setting(True, "show how far training is")
