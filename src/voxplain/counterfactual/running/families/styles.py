"""A StyleGAN and its encoder, one after the other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.running.families.family import WEIGHTS, Family, Learned
from voxplain.counterfactual.running.families.features import features_of
from voxplain.counterfactual.running.families.networks import kept, kept_row, loop, seeded
from voxplain.counterfactual.running.families.tensors import read_tensors, write_tensors
from voxplain.counterfactual.settings.config import GeneratorSettings
from voxplain.counterfactual.style import Discriminator, Mapping, StyleEncoder, Synthesis
from voxplain.counterfactual.style.beginning import Beginning
from voxplain.counterfactual.style.encoding import EncoderTask
from voxplain.counterfactual.style.generator import StyleGenerator
from voxplain.counterfactual.style.task import StyleTask
from voxplain.counterfactual.style.warming import WarmTask
from voxplain.counterfactual.training.settings import GeneratorTraining, StyleTraining
from voxplain.errors import InputError
from voxplain.inherent.training.checkpoint import load_weights
from voxplain.inherent.training.history import Row

_SIZES = ("levels", "width", "most")
_STYLES = 64


class StyleFamily(Family):
    """Parts that have learned to copy, the average generator of the best round, and an encoder that was trained for it."""

    parameters: ClassVar[tuple[str, ...] | None] = (
        *("styles", "depth", *_SIZES, "space"),
        *("refine", "rate", "pivot"),
    )
    later: ClassVar[tuple[str, ...]] = ("refine", "rate", "pivot")
    trainings: ClassVar[tuple[str, ...]] = ("warm", "training", "encoder")

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
        alike = replace(learned, told={**learned.told, "parameters": parameters})
        start = self._start(alike)
        begun = {"start": start.name} if start.name else {}
        rows = loop(
            partial(_style, self.asked, learned.shape, told.training, start),
            replace(alike, told={**alike.told, **begun}), told.training, gan, "StyleGAN",
        )  # fmt: skip
        weights = kept(gan, "kept")
        # an encoder is of one generator: a longer training of that needs another one
        name = hashlib.blake2b(weights.read_bytes(), digest_size=6).hexdigest()
        folder = learned.folder / f"encoder-{name}{'-plus' if self._plus else ''}"
        # that folder says by its name which generator it is for
        mine = replace(learned, told={**learned.told, "generator": name})
        loop(
            partial(_encoder, self.given, learned.shape, told.encoder, start, weights), mine, told.encoder, folder,
            "encoder",
        )  # fmt: skip
        generator = self._made(learned.shape)
        _load_kept(weights, generator.mapping, generator.synthesis)
        assert generator.encoder is not None
        load_weights(kept(folder, "encoder"), generator.encoder)
        write_tensors(learned.folder / WEIGHTS, "stylegan", generator.state_dict())
        held = learned.tensor(learned.judged[: told.training.judged])
        row = {**kept_row(gan), **judged(generator, held, features_of(self.asked.features, learned.shape))}
        return [*rows, row]

    def _start(self, learned: Learned) -> _Start:
        """Where networks begin: as published, or at components, from which they have learned to copy."""
        told, folder = learned.settings, learned.folder / "warm"
        if not (told.warm.steps or told.training.copies):
            return _Start()
        styles = int(self.given.get("styles", _STYLES))
        beginning = Beginning.of(learned.images, learned.learned, styles, told.warm.seed)
        if not told.warm.steps:
            return _Start(beginning)
        # its rate follows its steps: with others it is another start, which a game that has begun cannot be given
        loop(
            partial(_warm, self.given, learned.shape, told.warm, beginning),
            replace(learned, told={**learned.told, "steps": told.warm.steps}),
            told.warm,
            folder,
            "warm start",
        )
        return _Start(beginning, folder)

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


@dataclass(frozen=True, eq=False)
class _Start:
    """Where networks begin.

    Args:
        beginning: components and the mean image; None as published.
        warm: the folder in which synthesis and encoder have learned to copy.
    """

    beginning: Beginning | None = None
    warm: Path | None = None

    @property
    def name(self) -> str:
        """Short, of what decides weights; empty as published."""
        if self.warm is not None:
            weights = kept(self.warm, "synthesis").read_bytes() + kept(self.warm, "encoder").read_bytes()
            return hashlib.blake2b(weights, digest_size=6).hexdigest()
        return "components" if self.beginning is not None else ""

    def give(
        self,
        mapping: Mapping,
        synthesis: Synthesis,
        encoder: StyleEncoder,
        critic: Discriminator | None = None,
    ) -> None:
        """Let networks begin there, in place."""
        if self.beginning is not None:
            self.beginning.give(mapping, synthesis, encoder, critic)
        if self.warm is not None:
            load_weights(kept(self.warm, "mapping"), mapping)
            load_weights(kept(self.warm, "synthesis"), synthesis)
            _load_encoder(kept(self.warm, "encoder"), encoder)


def _warm(
    given: dict[str, Any], shape: tuple[int, ...], settings: GeneratorTraining, beginning: Beginning
) -> WarmTask:
    def make() -> WarmTask:
        mapping, synthesis = _networks(given, shape)
        encoder = StyleEncoder(shape, synthesis.styles, **_sizes(given))
        beginning.give(mapping, synthesis, encoder)
        return WarmTask(mapping, synthesis, encoder, settings)

    task: WarmTask = seeded(settings.seed, make)
    return task


def _style(
    asked: GeneratorSettings, shape: tuple[int, ...], settings: StyleTraining, start: _Start
) -> StyleTask:
    given, features = asked.parameters, features_of(asked.features, shape)

    def make() -> StyleTask:
        mapping, synthesis = _networks(given, shape)
        critic = Discriminator(shape, **_sizes(given))
        encoder = StyleEncoder(shape, synthesis.styles, **_sizes(given))
        start.give(mapping, synthesis, encoder, critic)
        return StyleTask(mapping, synthesis, critic, settings, features, encoder)

    task: StyleTask = seeded(settings.seed, make)
    return task


def _encoder(
    given: dict[str, Any],
    shape: tuple[int, ...],
    settings: GeneratorTraining,
    start: _Start,
    weights: Path,
) -> EncoderTask:
    def make() -> EncoderTask:
        mapping, synthesis = _networks(given, shape)
        encoder = _first_encoder(given, shape, synthesis)
        start.give(mapping, synthesis, encoder)
        space: Any = given.get("space", "w")
        generator = StyleGenerator(mapping, synthesis, space=space)
        _load_kept(weights, mapping, synthesis, encoder)
        return EncoderTask(encoder, generator, settings)

    task: EncoderTask = seeded(settings.seed, make)
    return task


def _load_kept(
    weights: Path, mapping: Mapping, synthesis: Synthesis, encoder: StyleEncoder | None = None
) -> None:
    """The averaged networks, in place; an encoder as far as one was trained beside."""
    parts = _parts(weights)
    mapping.load_state_dict(parts["mapping"])
    synthesis.load_state_dict(parts["synthesis"])
    if encoder is not None and "encoder" in parts:
        _fill(encoder, parts["encoder"])


def _load_encoder(weights: Path, encoder: StyleEncoder) -> None:
    """Of one style, into one of a style per layer, too: layers differ by nothing yet."""
    from safetensors.torch import load_file

    _fill(encoder, load_file(weights))


def _fill(encoder: StyleEncoder, state: dict[str, Tensor]) -> None:
    encoder.load_state_dict({**encoder.state_dict(), **state})


def _parts(weights: Path) -> dict[str, dict[str, Tensor]]:
    """Of one file, by the name before the first dot."""
    from safetensors.torch import load_file

    out: dict[str, dict[str, Tensor]] = {}
    for name, value in load_file(weights).items():
        module, _, own = name.partition(".")
        out.setdefault(module, {})[own] = value
    return out
