"""How a simulator is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from voxplain.settings.fields import Device
from voxplain.settings.section import Section, setting
from voxplain.simulator.losses import LossSettings

# Settings that change where and how fast a training runs, but not what it computes.
WHEREABOUTS = (
    "device", "devices", "strategy", "workers", "cache", "checkpoint_every", "tensorboard", "progress", "deterministic",
)  # fmt: skip


class SimulatorTraining(Section):
    """How a simulator is trained; the network, the classifier and the data are given beside."""

    losses: LossSettings = Field(default_factory=LossSettings, description="what it is trained for")
    epochs: int = setting(30, "passes over the training part's correctly classified images", ge=1)
    batch: int = setting(32, "images per step, over all processes", "images", ge=1)
    learning_rate: float = setting(2e-3, "AdamW's, at its highest", gt=0)
    weight_decay: float = setting(1e-4, "AdamW's, of weights but not of biases and norms", ge=0)
    schedule: Literal["cosine", "one-cycle", "constant"] = setting("cosine", "how the learning rate falls")
    warm_up: float = setting(0.05, "share of the steps in which the rate rises", ge=0, lt=1)
    clip: float | None = setting(1.0, "largest norm of all gradients together; none: any", gt=0)
    precision: Literal["fp32", "bf16", "fp16"] = setting("fp32", "bf16 and fp16 use autocast")
    seed: int = setting(0, "of order, targets and dropout", ge=0)
    device: Device = setting("auto", "auto (a GPU where there is one), cpu, cuda:0, …")
    devices: int = setting(1, "processes that share every batch (DDP)", ge=1)
    strategy: Literal["ddp_spawn", "ddp_fork", "ddp"] = setting(
        "ddp_spawn", "how several processes start; ddp where torchrun has started them"
    )
    workers: int = setting(0, "processes that load; results do not depend on it", ge=0)
    cache: float = setting(4.0, "memory for prepared images", "gigabytes", ge=0)
    checkpoint_every: int | None = setting(
        None, "steps between checkpoints beside those after every epoch", ge=1
    )
    deterministic: bool = setting(False, "refuse fast GPU kernels that round differently every time")
    tensorboard: bool = setting(False, "write curves for TensorBoard, too")
    progress: bool = setting(True, "show how far training is")
