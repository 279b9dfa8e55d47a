"""A StyleGAN and its encoder, one after the other."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.running.families.family import WEIGHTS, Family, Learned
from voxplain.counterfactual.running.families.features import features_of
from voxplain.counterfactual.running.families.networks import kept, kept_row, loop, seeded
from voxplain.counterfactual.running.families.tensors import read_tensors, write_tensors
from voxplain.counterfactual.settings.config import GeneratorSettings
from voxplain.counterfactual.style import Discriminator, Mapping, StyleEncoder, Synthesis
from voxplain.counterfactual.style.encoding import EncoderTask
from voxplain.counterfactual.style.generator import StyleGenerator
from voxplain.counterfactual.style.task import StyleTask
from voxplain.counterfactual.training.settings import GeneratorTraining, StyleTraining
from voxplain.errors import InputError
from voxplain.inherent.training.checkpoint import load_weights
from voxplain.inherent.training.history import Row

_SIZES = ("levels", "width", "most")
_STYLES = 64


class StyleFamily(Family):
    """The average generator of the best round, and an encoder that was trained for it."""

    parameters: ClassVar[tuple[str, ...] | None] = (
        *("styles", "depth", *_SIZES, "space"),
        *("refine", "rate", "pivot"),
    )
    later: ClassVar[tuple[str, ...]] = ("refine", "rate", "pivot")
    trainings: ClassVar[tuple[str, ...]] = ("training", "encoder")

    def check(self) -> None:
        space = self.given.get("space", "w")
        if space not in ("w", "w+"):
            raise InputError(f"generator.parameters.space: found {space!r}, expected w or w+")
        for name in ("styles", "depth", *_SIZES, "refine", "pivot"):
            least = 0 if name in self.later else 1
            found = self.given.get(name, 1)
            if isinstance(found, bool) or not isinstance(found, int) or found < least:
                raise InputError(
                    f"generator.parameters.{name}: found {found!r}, expected a whole number from {least}"
                )
        rate = self.given.get("rate", 1.0)
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not rate > 0:
            raise InputError(f"generator.parameters.rate: found {rate!r}, expected a number above 0")

    def train(self, learned: Learned) -> list[Row]:
        from voxplain.counterfactual.running.judging import judged

        told = learned.settings
        gan = learned.folder / "training"
        # encoders to w and to w+ share a generator, whose training knows of neither
        parameters = {k: v for k, v in learned.told["parameters"].items() if k != "space"}
        rows = loop(
            partial(_style, self.asked, learned.shape, told.training),
            replace(learned, told={**learned.told, "parameters": parameters}), told.training, gan, "StyleGAN",
        )  # fmt: skip
        weights = kept(gan, "kept")
        # an encoder is of one generator: a longer training of that needs another one
        name = hashlib.blake2b(weights.read_bytes(), digest_size=6).hexdigest()
        folder = learned.folder / f"encoder-{name}{'-plus' if self._plus else ''}"
        # that folder says by its name which generator it is for
        mine = replace(learned, told={**learned.told, "generator": name})
        loop(
            partial(_encoder, self.given, learned.shape, told.encoder, weights), mine, told.encoder, folder,
            "encoder",
        )  # fmt: skip
        generator = self._made(learned.shape)
        _load_kept(weights, generator)
        assert generator.encoder is not None
        load_weights(kept(folder, "encoder"), generator.encoder)
        write_tensors(learned.folder / WEIGHTS, "stylegan", generator.state_dict())
        held = learned.tensor(learned.judged[: told.training.judged])
        row = {**kept_row(gan), **judged(generator, held, features_of(self.asked.features, learned.shape))}
        return [*rows, row]

    def load(self, folder: Path, shape: tuple[int, ...]) -> Generator:
        generator = self._made(shape)
        generator.load_state_dict(read_tensors(folder / WEIGHTS, "stylegan"))
        return generator

    def _made(self, shape: tuple[int, ...]) -> StyleGenerator:
        mapping, synthesis = _networks(self.given, shape)
        encoder = _first_encoder(self.given, shape, synthesis)
        return StyleGenerator(
            mapping, synthesis, encoder, space="w+" if self._plus else "w", **self.chosen(self.later)
        )

    @property
    def _plus(self) -> bool:
        return bool(self.given.get("space", "w") == "w+")


def _networks(given: dict[str, Any], shape: tuple[int, ...]) -> tuple[Mapping, Synthesis]:
    styles = int(given.get("styles", _STYLES))
    mapping = Mapping(styles, int(given.get("depth", 2)))
    return mapping, Synthesis(shape, styles, **_sizes(given))


def _sizes(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in _SIZES if name in given}


def _first_encoder(given: dict[str, Any], shape: tuple[int, ...], synthesis: Synthesis) -> StyleEncoder:
    layers = synthesis.layers if given.get("space", "w") == "w+" else 0
    return StyleEncoder(shape, synthesis.styles, layers=layers, **_sizes(given))


def _style(asked: GeneratorSettings, shape: tuple[int, ...], settings: StyleTraining) -> StyleTask:
    given, features = asked.parameters, features_of(asked.features, shape)

    def make() -> StyleTask:
        critic = Discriminator(shape, **_sizes(given))
        return StyleTask(*_networks(given, shape), critic, settings, features)

    task: StyleTask = seeded(settings.seed, make)
    return task


def _encoder(
    given: dict[str, Any], shape: tuple[int, ...], settings: GeneratorTraining, weights: Path
) -> EncoderTask:
    def make() -> EncoderTask:
        mapping, synthesis = _networks(given, shape)
        encoder = _first_encoder(given, shape, synthesis)
        space: Any = given.get("space", "w")
        generator = StyleGenerator(mapping, synthesis, space=space)
        _load_kept(weights, generator)
        return EncoderTask(encoder, generator, settings)

    task: EncoderTask = seeded(settings.seed, make)
    return task


def _load_kept(weights: Path, generator: StyleGenerator) -> None:
    """The averaged networks, in place."""
    both = nn.ModuleDict({"mapping": generator.mapping, "synthesis": generator.synthesis})
    load_weights(weights, both)
