"""The start of a StyleGAN: synthesis and encoder learn to copy images before anything is generated."""

from __future__ import annotations

import math
from collections.abc import Mapping as ReadOnly

import torch
from torch import Tensor, nn

from voxplain.counterfactual.measure.compared import compared
from voxplain.counterfactual.style.copying import Copying
from voxplain.counterfactual.style.encoder import StyleEncoder
from voxplain.counterfactual.style.mapping import Mapping
from voxplain.counterfactual.style.synthesis import Synthesis
from voxplain.counterfactual.training.settings import GeneratorTraining
from voxplain.counterfactual.training.task import Averaged, GeneratorTask
from voxplain.inherent.training.history import Row

_RISE, _CLIP = 0.1, 10.0
_SLOWER = 0.05  # the encoder's components already tell most, and its corrections must not outrun what is drawn of them


class WarmTask(GeneratorTask):
    """A Wasserstein autoencoder of the StyleGAN's own parts.

    Weights that are scaled when they are used (`layers`) change little in few steps at the rates that a game against a
    discriminator bears; without one, the rate can be thirty times as high.

    Args:
        mapping: whose styles codes are to look like; not changed.
        synthesis, encoder: trained in place.
        settings: how.
    """

    columns = ("copy error", "kid", "diversity")
    monitor = "copy error"

    def __init__(
        self, mapping: Mapping, synthesis: Synthesis, encoder: StyleEncoder, settings: GeneratorTraining
    ) -> None:
        self.mapping, self.synthesis, self.encoder, self.settings = mapping, synthesis, encoder, settings
        self._copying = Copying(encoder, synthesis, mapping)
        groups = [
            {"params": [*synthesis.parameters()], "share": 1.0},
            {"params": [*encoder.parameters()], "share": _SLOWER},
        ]
        self._optimiser = torch.optim.Adam(groups, settings.learning_rate, betas=(0.9, 0.99))

    def modules(self) -> ReadOnly[str, nn.Module]:
        return {"mapping": self.mapping, "synthesis": self.synthesis, "encoder": self.encoder}

    def optimisers(self) -> ReadOnly[str, torch.optim.Optimizer]:
        return {"copying": self._optimiser}

    def learn(self, images: Tensor, step: int, seed: int, averaged: Averaged) -> Row:
        share = (step + 1) / max(self.settings.steps, 1)
        rate = self.settings.learning_rate * min(share / _RISE, 1.0) * 0.5 * (1 + math.cos(math.pi * share))
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["share"]
        _, loss, parts = self._copying(images, seed=seed)
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        learned = nn.ModuleList([self.synthesis, self.encoder])
        averaged(learned)
        nn.utils.clip_grad_norm_(learned.parameters(), _CLIP)
        self._optimiser.step()
        return {name: float(value.detach()) for name, value in parts.items()}

    def judge(self, images: Tensor) -> Row:
        samples = self._samples(len(images))
        copies = torch.cat([self.synthesis(self.encoder(part)) for part in torch.split(images, 128)])
        return {"copy error": float((copies - images).abs().mean()), **compared(samples, images)}

    def pictures(self) -> Tensor:
        with torch.no_grad():
            return self._samples(32)

    def _samples(self, count: int) -> Tensor:
        z = torch.randn(count, self.mapping.size, generator=torch.Generator().manual_seed(0))
        w = self.mapping(z.to(self.mapping.mean.device))
        return torch.cat([self.synthesis(part) for part in w.split(128)])
