"""How generators are trained."""

from __future__ import annotations

from typing import Literal

from voxplain.settings.fields import Device
from voxplain.settings.section import Section, setting

# Settings that change where and how fast a training runs, but not what it computes.
WHEREABOUTS = (
    "device", "devices", "strategy", "workers", "cache", "tensorboard", "progress", "deterministic", "steps",
)  # fmt: skip


class GeneratorTraining(Section):
    """What all trainings of generators share. A longer training goes on where a shorter one ended."""

    steps: int = setting(5000, "of the optimiser", ge=1)
    batch: int = setting(32, "images per step, over all processes", "images", ge=1)
    round: int = setting(250, "steps between checkpoints, each with samples and measurements", ge=1)
    learning_rate: float = setting(2.5e-3, "Adam's", gt=0)
    precision: Literal["fp32", "bf16"] = setting("fp32", "bf16 uses autocast; penalties stay in fp32")
    judged: int = setting(512, "images that each round is measured on", "images", ge=8)
    seed: int = setting(0, "of everything that is drawn", ge=0)
    device: Device = setting("auto", "auto (a GPU where there is one), cpu, cuda:0, …")
    devices: int = setting(1, "processes that share every batch", ge=1)
    strategy: Literal["ddp_spawn", "ddp_fork", "ddp"] = setting(
        "ddp_spawn", "how several processes start; ddp where torchrun has started them"
    )
    workers: int = setting(0, "processes that load; results do not depend on it", ge=0)
    cache: float = setting(4.0, "memory for prepared images", "gigabytes", ge=0)
    deterministic: bool = setting(False, "refuse fast GPU kernels that round differently every time")
    tensorboard: bool = setting(False, "write curves for TensorBoard, too")
    progress: bool = setting(True, "show how far training is")


class WarmTraining(GeneratorTraining):
    """The start of a StyleGAN: its synthesis and encoder learn to copy."""

    steps: int = setting(
        1000, "of the optimiser; 0: none, as published, where the generator never sees an image", ge=0
    )
    learning_rate: float = setting(
        0.06, "Adam's for the synthesis, at its highest; a twentieth for the encoder", gt=0
    )


class EncoderTraining(GeneratorTraining):
    """That of a StyleGAN's encoder."""

    learning_rate: float = setting(2e-3, "Adam's", gt=0)


class StyleTraining(GeneratorTraining):
    """A StyleGAN's."""

    penalty: float | None = setting(None, "weight γ of R1; none: 0.0002 · voxels / batch", ge=0)
    penalty_every: int = setting(16, "steps between R1s, each counted that often", ge=1)
    path: float = setting(2.0, "weight of the path length; 0 leaves it out", ge=0)
    path_every: int = setting(4, "steps between path lengths, each counted that often", ge=1)
    mixing: float = setting(
        0.5,
        "share of fakes with two styles, so that levels do not lean on each other; none beside copies",
        ge=0,
        le=1,
    )
    copies: float = setting(
        1.0,
        "weight of the copies' squared error, in the images' spread, which keeps generator and encoder together; 0: as "
        "published, the generator learns from the discriminator alone",
        ge=0,
    )
    copies_every: int = setting(2, "steps between copies, each counted that often", ge=1)
    average: float = setting(
        5000.0, "images in which the kept average of the weights forgets a half", "images", gt=0
    )
    chance: float = setting(0.0, "of each augmentation to begin with", ge=0, le=0.8)
    target: float | None = setting(
        0.6, "share of real images called real, above a half, that augmentation holds; none: chance stays"
    )
    mirror: bool = setting(False, "whether left and right may be exchanged")
