"""The classifier of the settings as the one number that is explained."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from voxplain.counterfactual.classifier.black_box import BlackBox, Predict
from voxplain.counterfactual.classifier.decision import Decision
from voxplain.counterfactual.classifier.endpoint import Endpoint
from voxplain.counterfactual.classifier.onnx_file import OnnxFile
from voxplain.counterfactual.classifier.settings import ClassifierSettings
from voxplain.errors import InputError, ModelError, suggest
from voxplain.inherent.data.healthy import is_healthy
from voxplain.model import Model, Preparation, load_model
from voxplain.model.classes import read_classes
from voxplain.model.factory import found_at
from voxplain.model.heads import select
from voxplain.model.outputs import in_unit_interval, sums_to_one
from voxplain.settings.prepare import PrepareSettings

_FACTORS = (-1, 0, 0.3, 3, -3, 30, -30, 300, -300)  # of the first image, to see how far outputs go


class Logits(nn.Module):
    """A loaded network's module with its one output (N, K) chosen.

    Args:
        model: the loaded network.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.module, self.head, self.name = model.module, model.head, model.name

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, *S) to (N, K)."""
        out = select(self.module(x), self.head, self.name)
        # some networks pool to one voxel and leave it there
        return out.flatten(1) if out.ndim > 2 and out[0, 0].numel() == 1 else out


@dataclass(frozen=True, eq=False)
class Asked:
    """A classifier whose outputs have names.

    Attributes:
        decision: diseased against healthy.
        classes: by output; of a single logit healthy, then diseased.
    """

    decision: Decision
    classes: tuple[str, ...]


def load_classifier(asked: ClassifierSettings, prepare: PrepareSettings) -> Model:
    """The network with its preparation; a bundle's own steps hold where none were asked for.

    Raises:
        InputError: a factory without weights.
        ModelError: a network that cannot be loaded.
    """
    steps = prepare.model_dump(exclude_unset=True)
    if asked.black_box:
        return _black_box(asked, steps)
    is_factory = ":" in asked.source and not Path(asked.source).exists()
    if is_factory and asked.weights is None and not asked.own_weights:
        raise InputError(
            f"classifier.weights: found none for {asked.source}, which would be asked with random weights; give a .pt, "
            ".pth or .safetensors file, or own_weights: true where the function loads them"
        )
    with _probabilities_told_later():
        return load_model(
            asked.source,
            asked.weights,
            task="classification",
            head=asked.head,
            spatial_dims=asked.spatial_dims,
            prepare=Preparation(**steps) if steps else None,
            trust_code=asked.trust_code,
            factory_arguments=asked.arguments or None,
        )


def _black_box(asked: ClassifierSettings, steps: dict[str, Any]) -> Model:
    predict, dims, head = _predict(asked)
    if dims is None and not isinstance(steps.get("size"), tuple | list):
        raise InputError(
            f"classifier.spatial_dims: found none, but {asked.source}, which is no network, does not tell whether it "
            "takes 2-D or 3-D images; give 2 or 3"
        )
    box = BlackBox(predict, asked.source, batch=asked.batch)
    with _probabilities_told_later():
        return load_model(
            box, task="classification", head=head, spatial_dims=dims,
            prepare=Preparation(**steps) if steps else None,
        )  # fmt: skip


def _predict(asked: ClassifierSettings) -> tuple[Predict, int | None, str | int | None]:
    """What is asked, its spatial axes as far as they are known, and the head that is still to be chosen."""
    if asked.kind == "endpoint":
        endpoint = Endpoint(asked.source, timeout=asked.timeout, retries=asked.retries)
        return endpoint, asked.spatial_dims, asked.head
    if asked.kind == "onnx":
        file = OnnxFile(Path(asked.source), asked.head)
        return file, asked.spatial_dims or file.spatial_dims, None
    return found_at(asked.source), asked.spatial_dims, asked.head


@contextmanager
def _probabilities_told_later() -> Iterator[None]:
    """Loading warns of outputs that may be probabilities, with options that are not there; `name_classes` refuses them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*its outputs look like probabilities")
        yield


def name_classes(asked: ClassifierSettings, model: Model, image: Tensor, known: tuple[str, ...]) -> Asked:
    """Which outputs are healthy and diseased.

    Args:
        asked: names of classes, and which two are meant.
        model: as it was loaded.
        image: (C, *S), prepared; asked about once.
        known: the data's classes, for outputs without names.

    Raises:
        InputError: names that do not fit the outputs, classes that are not there.
        ModelError: outputs that are no logits of classes.
    """
    outputs = _outputs(Logits(model), image)
    names = _names(asked, outputs.shape[1], known)
    healthy = _index("healthy", asked.healthy or _healthy(names), names)
    diseased = _index("diseased", asked.diseased or _other(names, healthy), names)
    return Asked(Decision(Logits(model), healthy=healthy, diseased=diseased), names)


def _outputs(network: Logits, image: Tensor) -> Tensor:
    was = network.training
    with torch.no_grad():
        try:
            out: Tensor = network.eval()(image[None])
        except RuntimeError as error:
            raise ModelError(
                f"classifier: does not take a prepared image {tuple(image.shape)}: {' '.join(str(error).split())[:200]}"
            ) from None
        finally:
            network.train(was)
    if out.ndim != 2:
        raise ModelError(f"classifier: gives {tuple(out.shape)} for one image, expected logits (1, K)")
    if bool(((out >= 0) & (out <= 1)).all()) and (sums_to_one(out) or _always_within(network, image)):
        raise ModelError(
            "classifier: gives probabilities, expected logits: whatever the image, its outputs lie within [0, 1]; leave out "
            "the last softmax or sigmoid, which hides how far an image is from the other class, or undo it: log(p) of a "
            "softmax, log(p / (1 − p)) of a sigmoid"
        )
    return out


def _always_within(network: Logits, image: Tensor) -> bool:
    """Whether outputs lie within [0, 1], and differ, however wild the image."""
    generator = torch.Generator().manual_seed(0)
    noise = [torch.randn(image.shape, generator=generator).to(image) for _ in range(4)]
    wild = [*(factor * image for factor in _FACTORS), *(factor * n for n in noise for factor in (1, 30))]
    found = []
    was = network.training
    try:
        with torch.no_grad():
            for x in wild:
                with suppress(RuntimeError, ModelError):  # a black box may refuse what is no scan
                    found.append(network.eval()(x[None]).flatten())
    finally:
        network.train(was)
    finite = [out for out in found if bool(torch.isfinite(out).all())]
    return bool(finite) and in_unit_interval(torch.cat(finite))


def _names(asked: ClassifierSettings, outputs: int, known: tuple[str, ...]) -> tuple[str, ...]:
    needed = max(outputs, 2)  # one logit stands for two classes
    given = asked.classes
    told = read_classes(list(given) if isinstance(given, tuple) else given) if given else None
    names = tuple(told) if told else known
    if len(names) != needed:
        whose = "classifier.classes" if told else "classifier.classes: none given, and the data"
        raise InputError(
            f"{whose}: found {', '.join(names) or 'no names'}, expected {needed} names in the order of the outputs"
        )
    return names


def _index(field: str, name: str, names: tuple[str, ...]) -> int:
    if name not in names:
        raise InputError(f"classifier.{field}: found {name!r}; {suggest(name, names)}")
    return names.index(name)


def _healthy(names: tuple[str, ...]) -> str:
    found = [name for name in names if is_healthy(name)]
    if len(found) != 1:
        raise InputError(
            f"classifier.healthy: not given, and of {', '.join(names)} {len(found)} are called healthy; name one"
        )
    return found[0]


def _other(names: tuple[str, ...], healthy: int) -> str:
    others = [name for index, name in enumerate(names) if index != healthy]
    if len(others) != 1:
        raise InputError(
            f"classifier.diseased: not given, and there are {len(others)} besides {names[healthy]} "
            f"({', '.join(others)}); name one"
        )
    return others[0]
