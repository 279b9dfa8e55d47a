"""The adversarial term: a critic that learns to tell simulated images from real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Critic:
    """MONAI's patch critic with least squares (Mao et al. 2017, arXiv:1611.04076), and its own optimiser.

    Args:
        fabric: where it runs.
        spatial_dims: D.
        channels: C of the images.
        rate: learning rate.
        seed: of its first weights.
    """

    def __init__(self, fabric: Fabric, spatial_dims: int, channels: int, rate: float, seed: int) -> None:
        from monai.losses import PatchAdversarialLoss
        from monai.networks.nets import PatchDiscriminator

        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(seed)
            # instance norms: batch norm would mix directions, and judge by the company
            self.network: nn.Module = PatchDiscriminator(
                spatial_dims=spatial_dims, channels=8, in_channels=channels, num_layers_d=2, norm="INSTANCE"
            )
        self.optimiser = torch.optim.AdamW(self.network.parameters(), rate, betas=(0.5, 0.99))
        self._fabric = fabric
        self._loss = PatchAdversarialLoss(criterion="least_squares")
        self._model, self._stepper = fabric.setup(self.network, self.optimiser)

    def realism(self, image: Tensor) -> Tensor:
        """How unreal simulated images (N, C, *S) look, a number to make small."""
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)
        out: Tensor = self._loss(self._model(image)[-1], target_is_real=True, for_discriminator=False)
        for parameter in self.network.parameters():
            parameter.requires_grad_(True)
        return out

    def learn(self, real: Tensor, simulated: Tensor) -> None:
        """One step of telling them apart."""
        terms = [
            self._loss(self._model(image)[-1], target_is_real=is_real, for_discriminator=True)
            for image, is_real in ((real, True), (simulated.detach(), False))
        ]
        self._fabric.backward((terms[0] + terms[1]) / 2)
        self._stepper.step()
        self._stepper.zero_grad(set_to_none=True)
