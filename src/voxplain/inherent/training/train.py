"""Train a classifier: `train` checks everything that can be wrong, then starts the loop where it is to run."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from voxplain.case.atomic import whole
from voxplain.errors import InputError
from voxplain.inherent.data.duplicates import near_duplicates
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.data.sample import Samples, check_learnable
from voxplain.inherent.data.split import Split, check_split
from voxplain.inherent.shown import shown
from voxplain.inherent.training.callbacks import Callback, TensorBoard
from voxplain.inherent.training.checkpoint import WEIGHTS, Checkpoints, load_weights
from voxplain.inherent.training.history import Row
from voxplain.inherent.training.launching import determinism, launched, spread
from voxplain.inherent.training.loop import Loop
from voxplain.inherent.training.progress import Progress
from voxplain.inherent.training.record import claim, record, write_split
from voxplain.inherent.training.settings import TrainingSettings
from voxplain.model import Preparation

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Best:
    """The epoch whose weights are kept.

    Args:
        epoch: from 1.
        metric: what it was chosen by, on the validation part.
        value: of that metric.
        weights: its weights (the averaged ones where an average was kept), safetensors.
    """

    epoch: int
    metric: str
    value: float
    weights: Path


@dataclass(frozen=True, eq=False)
class Trained:
    """What came of a training.

    Args:
        network: with the best epoch's weights, in evaluation mode.
        history: a row per epoch.
        best: which epoch it is.
    """

    network: nn.Module
    history: tuple[Row, ...]
    best: Best


def train(
    network: nn.Module,
    samples: Samples,
    split: Split,
    settings: TrainingSettings,
    out: Path,
    *,
    preparation: Preparation | None = None,
    callbacks: Sequence[Callback] = (),
    fabric: Fabric | None = None,
    made_by: Mapping[str, Any] | None = None,
) -> Trained:
    """Train a classifier on a data set's training part, choosing the epoch by its validation part.

    The folder gets ``weights.safetensors`` (best epoch), ``history.csv`` and ``.json``, ``split.json``, ``training.json``
    and ``checkpoints/``. A training that was interrupted, in any way and at any moment, goes on from its last checkpoint
    when it is started again, and ends with the same bits. The test part is not touched, except to look for copies.

    Args:
        network: (N, C, *S) -> (N, K) logits; trained in place.
        samples: the data.
        split: its parts; training and validation are needed.
        settings: how.
        out: a new folder, or that of the same training.
        preparation: from files to the network's input, the same as when it will be asked.
        callbacks: told of steps and epochs; with several processes they must pickle.
        fabric: a launched Fabric to run in, instead of one made from the settings.
        made_by: what made the network, such as its settings and the seed of its weights: JSON-able, part of what tells one
            training from another.

    Raises:
        InputError: data that cannot be learned from, images that cannot be read or put into batches, a folder that holds
            another training, a loss that is not finite.
        ModelError: a network that gives no (N, K) logits.
    """
    _check(samples, split, settings)
    steps = preparation or Preparation()
    claim(out, record(network, samples, split, settings, steps, made_by))
    write_split(out, samples, split)
    images = Images(samples, steps, settings.cache)
    with shown("reading images", settings.progress) as show:
        images.fill([*split.train, *split.validation], show)
        if settings.duplicates:
            _tell_duplicates(images, split)
    run = _Run(images, split, settings, out, tuple(callbacks))
    if fabric is None and settings.devices > 1 and settings.strategy != "ddp":
        spread(run, network, settings)
    else:
        run(fabric or launched(settings), network)
    return _result(network, settings, out)


class _Run:
    """What every process does. One object, since Fabric takes collections among arguments apart."""

    def __init__(
        self,
        images: Images,
        split: Split,
        settings: TrainingSettings,
        out: Path,
        callbacks: Sequence[Callback],
    ) -> None:
        self.images, self.split, self.settings = images, split, settings
        self.out, self.callbacks = out, callbacks

    def __call__(self, fabric: Fabric, network: nn.Module) -> None:
        settings, out = self.settings, self.out
        own: list[Callback] = []
        if fabric.is_global_zero:
            own += [Progress(settings.monitor)] if settings.progress else []
            own += [TensorBoard(out / "tensorboard")] if settings.tensorboard else []
        devices = [fabric.device] if fabric.device.type == "cuda" else []
        with torch.random.fork_rng(devices), determinism(settings.deterministic):
            told = [*own, *self.callbacks]
            state = Loop(fabric, network, self.images, self.split, settings, out, told).run()
        if fabric.is_global_zero:
            kind = "network" if settings.average is None else "average"
            source = out / "checkpoints" / state.best["folder"] / f"{kind}.safetensors"
            with whole(out / WEIGHTS) as temporary:
                shutil.copyfile(source, temporary)
        fabric.barrier()


def _result(network: nn.Module, settings: TrainingSettings, out: Path) -> Trained:
    last = Checkpoints(out).last()
    assert last is not None
    load_weights(out / WEIGHTS, network)
    row = last.progress["best"]["row"]
    best = Best(int(row["epoch"]), settings.monitor, row[settings.monitor], out / WEIGHTS)
    return Trained(network.eval(), tuple(last.progress["rows"]), best)


def _check(samples: Samples, split: Split, settings: TrainingSettings) -> None:
    check_learnable(samples)
    check_split(samples, split)
    if not split.validation:
        raise InputError(
            "split: the validation part is empty, but the best epoch is chosen by it; give it a share"
        )
    smallest = len(split.train) // -(-len(split.train) // settings.batch)
    if settings.devices > smallest:
        raise InputError(
            f"batch: batches of {settings.batch} of {len(split.train)} samples are too small for {settings.devices} "
            "processes, expected at least one sample for each; give a larger batch"
        )


def _tell_duplicates(images: Images, split: Split) -> None:
    found = near_duplicates(images.peek, split)
    if not found:
        return
    told = [
        f"{images.samples[pair.first].id} ({pair.parts[0]}) and {images.samples[pair.second].id} ({pair.parts[1]})"
        for pair in found[:3]
    ]
    warnings.warn(
        f"{len(found)} pairs of images in different parts are nearly the same, such as {', '.join(told)}: copies of what "
        "was learned make figures too good; remove one of each",
        UserWarning,
        stacklevel=3,
    )
