"""One step of a StyleGAN's training, and what a round says of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping as ReadOnly
from typing import Any

import torch
from torch import Tensor, nn

from voxplain.counterfactual.measure.compared import compared
from voxplain.counterfactual.style.augment import Augment
from voxplain.counterfactual.style.copying import Copying
from voxplain.counterfactual.style.discriminator import Discriminator
from voxplain.counterfactual.style.encoder import StyleEncoder
from voxplain.counterfactual.style.losses import (
    fooling,
    gradient_penalty,
    path_lengths,
    telling,
    usual_penalty,
)
from voxplain.counterfactual.style.mapping import Mapping
from voxplain.counterfactual.style.synthesis import Synthesis
from voxplain.counterfactual.training.settings import StyleTraining
from voxplain.counterfactual.training.task import Averaged, GeneratorTask
from voxplain.inherent.training.history import Row

BETAS = (0.0, 0.99)
_PATH_DECAY, _RAMP = 0.01, 0.05
_AS_REAL, _CODES = (
    0.5,
    0.5,
)  # weights of copies that look real, and of codes of fakes, beside the copies' error
_ENOUGH, _DRAWN = (
    8,
    256,
)  # styles that a deviation can be taken of; that are drawn for it where a batch has fewer
_FOLLOW_EVERY = 4  # steps between looks at whether the discriminator learns by heart


class StyleTask(GeneratorTask):
    """Mapping, synthesis and discriminator, and the average of the first two, which is what is kept.

    With an encoder, images are copied, too, and their copies must look real: what is generated stays near to what there is,
    and has codes. Every generated image has the same style in all layers then, since codes have.

    Args:
        mapping, synthesis, discriminator: trained in place.
        settings: how.
        encoder: trained in place, too, where ``settings.copies`` is above 0; its average is kept as well.
        features: that rounds are measured by; see `compared`.
    """

    columns = ("kid", "fid", "diversity", "distinctness", "real called real", "chance")
    monitor = "kid"

    def __init__(
        self, mapping: Mapping, synthesis: Synthesis, discriminator: Discriminator, settings: StyleTraining,
        features: nn.Module | None = None, encoder: StyleEncoder | None = None,
    ) -> None:  # fmt: skip
        self.mapping, self.synthesis, self.discriminator = mapping, synthesis, discriminator
        self.encoder = encoder if settings.copies else None
        self._own: dict[str, nn.Module] = {"mapping": mapping, "synthesis": synthesis}
        if self.encoder is not None:
            self._own["encoder"] = self.encoder
            self._copying = Copying(self.encoder, synthesis, mapping)
        self.kept = nn.ModuleDict({name: copy.deepcopy(module) for name, module in self._own.items()})
        self.kept.requires_grad_(False)
        self.settings = settings
        rate = settings.learning_rate
        # lazy penalties: fewer steps count, so that rate and memory shrink alike (Karras et al., CVPR 2020)
        self._g = self._adam(
            [*mapping.parameters(), *synthesis.parameters()],
            rate,
            settings.path_every if settings.path else 0,
        )
        self._d = self._adam([*discriminator.parameters()], rate, settings.penalty_every)
        self._e = None if self.encoder is None else self._adam([*self.encoder.parameters()], rate, 0)
        self.augment = Augment(settings.chance, target=settings.target, mirror=settings.mirror)
        self.penalty = settings.penalty
        if self.penalty is None:
            self.penalty = usual_penalty(synthesis.shape, settings.batch)
        self.path_mean, self._signs = 0.0, [0.0, 0.0]
        self._told = 0.0
        self._features = features

    def modules(self) -> ReadOnly[str, nn.Module]:
        return {**self._own, "discriminator": self.discriminator, "kept": self.kept}

    def optimisers(self) -> ReadOnly[str, torch.optim.Optimizer]:
        return {
            "generator": self._g,
            "critic": self._d,
            **({} if self._e is None else {"encoder": self._e}),
        }

    def learn(self, images: Tensor, step: int, seed: int, averaged: Averaged) -> Row:
        seen = step * self.settings.batch
        row = self._criticise(images, step, seed, averaged)
        row |= self._generate(images, step, seed, averaged)
        self._follow(step)
        self._average(seen)
        return row

    def judge(self, images: Tensor) -> Row:
        fakes = self._samples(len(images), images.device)
        told = {"real called real": self._told, "chance": self.augment.chance}
        return {**compared(fakes, images, self._features), **told}

    def pictures(self) -> Tensor:
        return self._samples(32, next(self.kept.parameters()).device)

    def state(self) -> dict[str, Any]:
        return {
            "chance": self.augment.chance,
            "path mean": self.path_mean,
            "signs": self._signs,
            "told": self._told,
        }

    def restore(self, state: ReadOnly[str, Any]) -> None:
        self.augment.chance, self.path_mean = float(state["chance"]), float(state["path mean"])
        self._signs, self._told = [float(s) for s in state["signs"]], float(state["told"])

    def _criticise(self, images: Tensor, step: int, seed: int, averaged: Averaged) -> Row:
        told, due = self.settings, step % self.settings.penalty_every == 0
        with torch.no_grad():
            fakes = self.synthesis(self._styles(len(images), images.device, seed + 1), noise=seed + 2)
            if self._copies(step) and self.encoder is not None:  # half of what it is to tell from images
                half = len(images) // 2
                fakes = torch.cat([fakes[half:], self.synthesis(self.encoder(images[:half]))])
        reals = self.augment(images, seed=seed + 3).detach().requires_grad_(due)
        of_reals = self.discriminator(reals)
        loss = telling(of_reals, self.discriminator(self.augment(fakes, seed=seed + 4)))
        row = {"critic loss": float(loss.detach())}
        if due and self.penalty:
            with torch.autocast(images.device.type, enabled=False):
                penalty = gradient_penalty(self.discriminator(reals.float()), reals)
            # a slope per unit of the images' spread, so that their own unit does not matter
            penalty = penalty * self.discriminator.scale.spread.square()
            loss = loss + penalty * (self.penalty / 2 * told.penalty_every)
            row["penalty"] = float(penalty.detach())
        self._d.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        averaged(self.discriminator)
        self._d.step()
        self._signs = [self._signs[0] + float(of_reals.detach().sign().sum()), self._signs[1] + len(images)]
        return row

    def _generate(self, images: Tensor, step: int, seed: int, averaged: Averaged) -> Row:
        told, device = self.settings, images.device
        self.discriminator.requires_grad_(False)
        w = self._styles(len(images), device, seed + 5)
        fakes = self.synthesis(w, noise=seed + 6)
        loss = fooling(self.discriminator(self.augment(fakes, seed=seed + 7)))
        row = {"generator loss": float(loss.detach())}
        if told.path and step % told.path_every == 0:
            with torch.autocast(device.type, enabled=False):
                half = max(len(images) // 2, 1)
                styles = self._styles(half, device, seed + 8, mixed=False)
                made = self.synthesis.scale.inward(self.synthesis(styles, noise=seed + 9))
                lengths = path_lengths(made, styles, seed=seed + 10)
            self.path_mean += _PATH_DECAY * (float(lengths.detach().mean()) - self.path_mean)
            loss = loss + (lengths - self.path_mean).square().mean() * (told.path * told.path_every)
            row["path length"] = float(lengths.detach().mean())
        copied = self._copies(step)
        if copied:
            cost, parts = self._copy(images, fakes.detach(), w.detach(), seed + 11)
            loss, row = loss + cost * told.copies_every, row | parts
        learned = [o for o in (self._g, self._e if copied else None) if o is not None]
        for optimiser in learned:
            optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        for module in self._own.values() if copied else (self.mapping, self.synthesis):
            averaged(module)
        for optimiser in learned:
            optimiser.step()
        self.discriminator.requires_grad_(True)
        return row

    def _copies(self, step: int) -> bool:
        return self.encoder is not None and step % self.settings.copies_every == 0

    def _copy(self, images: Tensor, fakes: Tensor, w: Tensor, seed: int) -> tuple[Tensor, Row]:
        """What copies of images cost, which are to look real, too, and codes of fakes, which are known."""
        assert self.encoder is not None
        copies, cost, parts = self._copying(images, seed=seed)
        cost = self.settings.copies * cost
        cost = cost + _AS_REAL * fooling(self.discriminator(self.augment(copies, seed=seed + 1)))
        # one style has no deviation, and that of a few would make the loss jump
        many = w if len(w) >= _ENOUGH else self._styles(_DRAWN, w.device, seed + 2, mixed=False).detach()
        codes = ((self.encoder(fakes) - w) / (many.std(0) + 1e-8)).square().mean()
        row = {name: float(value.detach()) for name, value in parts.items()}
        return cost + _CODES * codes, row | {"code loss": float(codes.detach())}

    def _styles(self, count: int, device: torch.device, seed: int, *, mixed: bool = True) -> Tensor:
        """(N, D), or (N, layers, D) where levels from a drawn one on have another style."""
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn(2 * count, self.mapping.size, generator=generator).to(device)
        chance, cut = torch.rand(count, generator=generator), torch.rand(count, generator=generator)
        if not (mixed and self.settings.mixing) or self.encoder is not None:
            w: Tensor = self.mapping(z[:count])
            if mixed:
                self.mapping.track(w)
            return w
        w, other = self.mapping(z).chunk(2)
        self.mapping.track(w)
        layers = self.synthesis.layers
        first = (1 + (cut * (layers - 1)).long()).clamp_max(layers - 1)
        swapped = (torch.arange(layers)[None] >= first[:, None]) & (chance < self.settings.mixing)[:, None]
        return torch.where(swapped[..., None].to(device), other[:, None], w[:, None])

    def _follow(self, step: int) -> None:
        if (step + 1) % _FOLLOW_EVERY == 0 and self._signs[1]:
            self._told = self._signs[0] / self._signs[1]
            self.augment.follow(self._told, int(self._signs[1]))
            self._signs = [0.0, 0.0]

    @torch.no_grad()
    def _average(self, seen: int) -> None:
        told = self.settings
        # an average over the first images would remember what nothing was learned from yet
        half_life = min(told.average, max(seen * _RAMP, 1e-8))
        decay = 0.5 ** (told.batch / half_life)
        for own, module in self._own.items():
            for kept, now in zip(self.kept[own].parameters(), module.parameters(), strict=True):
                kept.lerp_(now, 1 - decay)
            for copied, own_buffer in zip(self.kept[own].buffers(), module.buffers(), strict=True):
                copied.copy_(own_buffer)

    def _samples(self, count: int, device: torch.device) -> Tensor:
        z = torch.randn(count, self.mapping.size, generator=torch.Generator().manual_seed(0)).to(device)
        with torch.no_grad():
            w = self.kept["mapping"](z)
            return torch.cat([self.kept["synthesis"](part) for part in w.split(128)])

    @staticmethod
    def _adam(parameters: list[nn.Parameter], rate: float, every: int) -> torch.optim.Adam:
        share = every / (every + 1) if every else 1.0
        return torch.optim.Adam(
            parameters, rate * share, betas=(BETAS[0] ** share, BETAS[1] ** share), eps=1e-8
        )
