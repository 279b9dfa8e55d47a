"""Training of an encoder for a StyleGAN that is done."""

from __future__ import annotations

from collections.abc import Mapping as ReadOnly

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxplain.counterfactual.measure.features import RandomFeatures
from voxplain.counterfactual.style.encoder import StyleEncoder
from voxplain.counterfactual.style.generator import StyleGenerator
from voxplain.counterfactual.training.settings import GeneratorTraining
from voxplain.counterfactual.training.task import Averaged, GeneratorTask
from voxplain.inherent.training.history import Row


class EncoderTask(GeneratorTask):
    """Codes of generated images are known, and real images must be copied: both are learned at once.

    Args:
        encoder: trained in place.
        generator: which decodes; not changed.
        settings: how.
        codes, copies, looks: weights of codes of fakes (whitened, squared), of voxels of real
            images, in units of their spread, and of their features.
    """

    columns = ("copy error", "code error")
    monitor = "copy error"

    def __init__(
        self, encoder: StyleEncoder, generator: StyleGenerator, settings: GeneratorTraining, *, codes: float = 0.1,
        copies: float = 1.0, looks: float = 0.5,
    ) -> None:  # fmt: skip
        self.encoder, self.generator, self.settings = encoder, generator, settings
        self.weights = (codes, copies, looks)
        self._optimiser = torch.optim.Adam(encoder.parameters(), settings.learning_rate, betas=(0.9, 0.99))
        self._features = RandomFeatures(generator.synthesis.shape[0], generator.synthesis.dims)

    def modules(self) -> ReadOnly[str, nn.Module]:
        return {"encoder": self.encoder}

    def optimisers(self) -> ReadOnly[str, torch.optim.Optimizer]:
        return {"encoder": self._optimiser}

    def learn(self, images: Tensor, step: int, seed: int, averaged: Averaged) -> Row:
        self.generator.to(images.device)
        self._features.to(images.device)
        codes, copies, looks = self.weights
        wanted = self.generator.sample(len(images), seed=seed)
        with torch.no_grad():
            fakes = self.generator.decode(wanted)
        found = self.encoder(torch.cat([fakes, images])).flatten(1)
        of_fakes, of_reals = found.split(len(images))
        statistics = self.generator.statistics
        code = (statistics.whiten(of_fakes) - statistics.whiten(wanted)).square().mean()
        scale = self.generator.synthesis.scale
        copied, wanted_copy = scale.inward(self.generator.decode(of_reals)), scale.inward(images)
        voxels = F.l1_loss(copied, wanted_copy)
        look = F.l1_loss(self._features(copied), self._features(wanted_copy))
        far = (statistics.whiten(of_reals).square().mean(1) - 2).clamp_min(0).mean()
        loss = codes * code + copies * voxels + looks * look + 0.01 * far
        for group in self._optimiser.param_groups:  # falls to a tenth, so that the last codes are settled
            group["lr"] = self.settings.learning_rate * 0.1 ** (step / max(self.settings.steps, 1))
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        averaged(self.encoder)
        self._optimiser.step()
        return {"code loss": float(code.detach()), "voxel loss": float(voxels.detach())}

    def judge(self, images: Tensor) -> Row:
        wanted = self.generator.sample(len(images), seed=7)
        statistics = self.generator.statistics
        found = self.encoder(self.generator.decode(wanted)).flatten(1)
        gap = (statistics.whiten(found) - statistics.whiten(wanted)).square().mean()
        copied = self.generator.decode(self.encoder(images).flatten(1))
        return {"copy error": float((copied - images).abs().mean()), "code error": float(gap)}
