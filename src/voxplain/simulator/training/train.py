"""Train a simulator: `train_simulator` checks everything that can be wrong, then starts the loop where it is to run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from voxplain.case.atomic import whole, write_whole
from voxplain.counterfactual.classifier.decision import Decision
from voxplain.counterfactual.classifier.key import weights_digest
from voxplain.errors import InputError
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.data.sample import Samples, check_learnable
from voxplain.inherent.data.split import Split, check_split
from voxplain.inherent.shown import shown
from voxplain.inherent.training.callbacks import Callback, TensorBoard
from voxplain.inherent.training.checkpoint import WEIGHTS, load_weights
from voxplain.inherent.training.history import Row
from voxplain.inherent.training.launching import determinism, launched, spread
from voxplain.inherent.training.record import claim, digest, labels_digest, write_split
from voxplain.model import Preparation
from voxplain.simulator.networks import Simulator
from voxplain.simulator.training.loop import Loop
from voxplain.simulator.training.progress import SimulatorProgress
from voxplain.simulator.training.settings import WHEREABOUTS, SimulatorTraining
from voxplain.simulator.training.subjects import Subjects, Typical, correct

if TYPE_CHECKING:
    from lightning_fabric import Fabric

TYPICAL, HISTORY = "typical.json", "history.json"


@dataclass(frozen=True, eq=False)
class TrainedSimulator:
    """What came of a training.

    Args:
        simulator: with the best epoch's weights, in evaluation mode.
        decision: what it explains.
        typical: the classifier's typical logits, which doses and targets are measured by.
        history: a row per epoch.
        weights: the best epoch's, safetensors.
    """

    simulator: Simulator
    decision: Decision
    typical: Typical
    history: tuple[Row, ...]
    weights: Path


def train_simulator(
    simulator: Simulator,
    decision: Decision,
    samples: Samples,
    split: Split,
    settings: SimulatorTraining,
    out: Path,
    *,
    preparation: Preparation | None = None,
    callbacks: Sequence[Callback] = (),
    fabric: Fabric | None = None,
) -> TrainedSimulator:
    """Train a simulator on a data set's training part, choosing the epoch by its validation part.

    Only subjects whom the classifier sees rightly take part. The folder gets ``weights.safetensors`` (best epoch),
    ``typical.json``, ``history.csv`` and ``.json``, ``split.json``, ``training.json`` and ``checkpoints/``. A training that
    was interrupted, in any way and at any moment, goes on from its last checkpoint when it is started again, and ends with
    the same bits. The test part is not touched.

    Args:
        simulator: trained in place.
        decision: the classifier, and which of its classes are healthy and diseased.
        samples: the data.
        split: its parts, patients whole; training and validation are needed.
        settings: how.
        out: a new folder, or that of the same training.
        preparation: from files to the classifier's input.
        callbacks: told of steps and epochs.
        fabric: a launched Fabric to run in, instead of one made from the settings.

    Raises:
        InputError: data that cannot be learned from, a class of which the classifier gets nobody right, a folder that holds
            another training, a loss that is not finite.
        ModelError: a classifier that gives no logits of the two classes.
    """
    check_learnable(samples)
    check_split(samples, split)
    if not split.validation:
        raise InputError(
            "split: the validation part is empty, but the best epoch is chosen by it; give it a share"
        )
    steps = preparation or Preparation()
    claim(out, _record(simulator, decision, samples, split, settings, steps))
    write_split(out, samples, split)
    images = Images(samples, steps, settings.cache)
    with shown("reading images", settings.progress) as show:
        images.fill([*split.train, *split.validation], show)
    run = _Run(decision, images, split, settings, out, tuple(callbacks))
    if fabric is None and settings.devices > 1 and settings.strategy != "ddp":
        spread(run, simulator, settings)
    else:
        run(fabric or launched(settings), simulator)
    return trained_simulator(simulator, decision, out)


def trained_simulator(simulator: Simulator, decision: Decision, out: Path) -> TrainedSimulator:
    """A training's result from its folder.

    Args:
        simulator: of the same shape; gets the weights.
        decision: what it was trained for.
        out: the folder.

    Raises:
        InputError: a folder without a finished training, weights of another network.
    """
    if not (out / WEIGHTS).exists():
        raise InputError(f"{out}: holds no finished training of a simulator; train one")
    load_weights(out / WEIGHTS, simulator)
    rows, told = read_told(out)
    device = next(simulator.parameters()).device
    return TrainedSimulator(
        simulator.eval(), decision.to(device), Typical(**told["logits"]), tuple(rows), out / WEIGHTS
    )


def read_told(out: Path) -> tuple[list[Row], dict[str, Any]]:
    """The history, and what is told of typical logits.

    Raises:
        InputError: a file that is missing or damaged.
    """
    file = out / HISTORY
    try:
        rows: list[Row] = json.loads(file.read_text(encoding="utf-8"))
        min(row["loss"] for row in rows)
        file = out / TYPICAL
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        Typical(**told["logits"])
        tuple(told["used"][part] for part in ("train", "validation"))
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{file}: is missing or damaged") from None
    return rows, told


class _Run:
    """What every process does. One object, since Fabric takes collections among arguments apart."""

    def __init__(
        self, decision: Decision, images: Images, split: Split, settings: SimulatorTraining, out: Path,
        callbacks: Sequence[Callback],
    ) -> None:  # fmt: skip
        self.decision, self.images, self.split, self.settings = decision, images, split, settings
        self.out, self.callbacks = out, callbacks

    def __call__(self, fabric: Fabric, simulator: nn.Module) -> None:
        assert isinstance(simulator, Simulator)
        settings, out = self.settings, self.out
        own: list[Callback] = []
        if fabric.is_global_zero:
            own += [SimulatorProgress()] if settings.progress else []
            own += [TensorBoard(out / "tensorboard")] if settings.tensorboard else []
        devices = [fabric.device] if fabric.device.type == "cuda" else []
        with torch.random.fork_rng(devices), determinism(settings.deterministic):
            decision = self.decision.to(fabric.device)
            parts = self._part("train", decision, fabric), self._part("validation", decision, fabric)
            if fabric.is_global_zero:
                _write_typical(out, parts)
            told = [*own, *self.callbacks]
            state = Loop(fabric, simulator, decision, self.images, parts, settings, out, told).run()
        if fabric.is_global_zero:
            with whole(out / WEIGHTS) as temporary:
                shutil.copyfile(out / "checkpoints" / state.best["folder"] / "network.safetensors", temporary)
        fabric.barrier()

    def _part(self, name: str, decision: Decision, fabric: Fabric) -> Subjects:
        return correct(
            self.images,
            getattr(self.split, name),
            decision,
            batch=self.settings.batch,
            device=fabric.device,
            name=name,
        )


def _write_typical(out: Path, parts: tuple[Subjects, Subjects]) -> None:
    told = {
        "logits": asdict(parts[0].typical()),
        "used": {n: [len(p.indices), p.asked] for n, p in zip(("train", "validation"), parts, strict=True)},
    }
    write_whole(out / TYPICAL, (json.dumps(told, indent=1) + "\n").encode())


def _record(
    simulator: Simulator, decision: Decision, samples: Samples, split: Split, settings: SimulatorTraining,
    preparation: Preparation,
) -> dict[str, Any]:  # fmt: skip
    """All that decides what weights come out, except for those that go in; JSON-able."""
    shapes = [(name, list(value.shape)) for name, value in simulator.state_dict().items()]
    return {
        "settings": settings.model_dump(mode="json", exclude=set(WHEREABOUTS)),
        "classes": [
            samples.classes[k] for k in (decision.healthy, decision.diseased) if k < len(samples.classes)
        ],
        "preparation": repr(preparation),
        "samples": labels_digest(samples),
        "split": digest(split.ids(samples)),
        "network": f"{type(simulator).__name__} {digest(shapes)}",
        "classifier": f"{type(decision.classifier).__name__} {weights_digest(decision)}",
    }
