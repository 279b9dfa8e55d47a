"""The surrogate of a black box: learned once, kept in the folder ``surrogate``, and how well it does."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from voxplain.case.atomic import whole, write_whole
from voxplain.counterfactual.classifier.decision import Decision
from voxplain.errors import InputError
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.evaluate.rows import write_rows
from voxplain.inherent.shown import shown
from voxplain.inherent.training.checkpoint import WEIGHTS, load_weights
from voxplain.simulator.running.keys import changed_images, image_keys, surrogate_key
from voxplain.simulator.running.task import SimulatorTask
from voxplain.simulator.surrogate import Fidelity, SurrogateNetwork, distil, fidelity
from voxplain.simulator.training.subjects import Typical, correct

_TOLD = "fidelity.json"


@dataclass(frozen=True, eq=False)
class Surrogate:
    """What simulators learn from where the classifier gives no gradient.

    Attributes:
        decision: the network, with gradients.
        typical: the black box's own typical logits, by which explanations are measured.
        fidelity: on images that the network has not learned from.
        part: of the split, which these are.
    """

    decision: Decision
    typical: Typical
    fidelity: Fidelity
    part: str


def surrogate(task: SimulatorTask) -> Surrogate:
    """The surrogate of a task's black box; distilled where it is not there yet.

    ``surrogate`` gets ``weights.safetensors``, ``fidelity.csv`` and, last, ``fidelity.json``.

    Raises:
        InputError: images that cannot be read, a class of which the black box gets nobody right.
        ModelError: a black box that fails.
    """
    found = _stored(task)
    if found is None:
        _distilled(task)
        found = _stored(task)
    assert found is not None
    return found


def read_json(path: Path) -> dict[str, Any]:
    """What a file tells; nothing where it is not there or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _stored(task: SimulatorTask) -> Surrogate | None:
    """The surrogate that is in the folder; None where there is none of these settings and images, or it is damaged."""
    told = read_json(task.places.surrogate / _TOLD)
    if told.get("key") != surrogate_key(task):
        return None
    if changed_images(task, told.get("images", {}), [*task.split.train, *_held_out(task)[1]]):
        return None
    network = SurrogateNetwork(task.shape[0], spatial_dims=len(task.shape) - 1)
    try:
        load_weights(task.places.surrogate / WEIGHTS, network)
        return Surrogate(
            _decision(task, network), Typical(**told["typical"]), Fidelity(**told["fidelity"]), told["part"]
        )
    except (InputError, KeyError, TypeError):
        return None


def _held_out(task: SimulatorTask) -> tuple[str, tuple[int, ...]]:
    """The part that fidelity is measured on: what no training has seen, if there is any."""
    part = "test" if task.split.test else "validation"
    return part, tuple(getattr(task.split, part))


def _distilled(task: SimulatorTask) -> None:
    told, place = task.settings.surrogate, task.places.surrogate
    part, held_out = _held_out(task)
    asked = task.settings.training
    device = torch.device(
        ("cuda" if torch.cuda.is_available() else "cpu") if asked.device == "auto" else asked.device
    )
    images = Images(task.samples, task.preparation, asked.cache)
    with shown("reading images", asked.progress) as show:
        images.fill([*task.split.train, *held_out], show)
    with shown("surrogate", asked.progress) as show:
        network = distil(
            task.decision, [images[i] for i in task.split.train], told, device=device,
            progress=lambda done, of: show("surrogate", done, of),
        ).cpu()  # fmt: skip
    typical = correct(
        images, task.split.train, task.decision, batch=told.batch, device=torch.device("cpu"), name="train"
    ).typical()
    logits: tuple[list[float], list[float]] = [], []
    with torch.no_grad():
        for index in held_out:
            for of, decision in zip(logits, (task.decision, _decision(task, network)), strict=True):
                of.append(float(decision(images[index][None])))
    found = fidelity(torch.tensor(logits[0]), torch.tensor(logits[1]))
    place.mkdir(parents=True, exist_ok=True)
    with whole(place / WEIGHTS) as temporary:
        save_file({name: value.contiguous() for name, value in network.state_dict().items()}, temporary)
    write_rows([{"part": part, **asdict(found), "low": str(found.low).lower()}], place / "fidelity.csv")
    record = {
        "key": surrogate_key(task), "part": part, "fidelity": asdict(found), "typical": asdict(typical),
        "images": image_keys(task, [*task.split.train, *held_out]),
    }  # fmt: skip
    write_whole(place / _TOLD, json.dumps(record, indent=1).encode())


def _decision(task: SimulatorTask, network: SurrogateNetwork) -> Decision:
    return Decision(network, healthy=task.decision.healthy, diseased=task.decision.diseased)
