"""MONAI's variational autoencoder as a generator: quick to train, faithful copies, and blurred where it is not sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxplain.counterfactual.generator.module import ModuleGenerator
from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.counterfactual.measure.compared import compared
from voxplain.counterfactual.measure.features import RandomFeatures
from voxplain.counterfactual.training.settings import GeneratorTraining
from voxplain.counterfactual.training.task import Averaged, GeneratorTask
from voxplain.errors import InputError
from voxplain.inherent.training.history import Row


def autoencoder(
    shape: Sequence[int], *, widths: Sequence[int] = (16, 32, 64), latent: int = 4, residual: int = 1
) -> nn.Module:
    """MONAI's AutoencoderKL (Rombach et al., CVPR 2022), without attention, that halves the size between its widths.

    Args:
        shape: (C, *S), every axis divisible by 2 to the number of widths less one.
        widths: channels from full size down.
        latent: channels of the code.
        residual: blocks per width.

    Raises:
        InputError: a size that cannot be halved as often.
    """
    from monai.networks.nets import AutoencoderKL

    channels, *size = shape
    step = 2 ** (len(widths) - 1)
    if len(size) not in (2, 3) or any(n % step for n in size):
        raise InputError(f"shape: found {tuple(size)}, expected two or three axes divisible by {step}")
    groups = next(g for g in (8, 4, 2, 1) if all(w % g == 0 for w in widths))
    made: nn.Module = AutoencoderKL(
        spatial_dims=len(size), in_channels=channels, out_channels=channels, channels=tuple(widths),
        latent_channels=latent, num_res_blocks=(residual,) * len(widths), norm_num_groups=groups,
        attention_levels=(False,) * len(widths), with_encoder_nonlocal_attn=False, with_decoder_nonlocal_attn=False,
    )  # fmt: skip
    return made


class AutoencoderGenerator(ModuleGenerator):
    """A trained autoencoder: codes are means of what its encoder says, flattened.

    Args:
        network: of `autoencoder`, trained.
        shape: (C, *S).
        statistics: of codes of the images that it was trained on.
    """

    def __init__(self, network: nn.Module, shape: Sequence[int], statistics: LatentStatistics) -> None:
        super().__init__(shape, statistics)
        self.network = network
        self.requires_grad_(False).eval()
        with torch.no_grad():
            self._latent = tuple(network.encode(torch.zeros(1, *shape))[0].shape[1:])  # type: ignore[operator]

    @classmethod
    def of(cls, network: nn.Module, images: Tensor) -> AutoencoderGenerator:
        """With the statistics of images (N, C, *S)."""
        network.eval()
        codes = means_of(network, images)
        return cls(network, tuple(images.shape[1:]), LatentStatistics.of(codes, least=1e-4))

    def encode(self, images: Tensor) -> Tensor:
        self.check(images)
        return means_of(self.network, images)

    def decode(self, codes: Tensor) -> Tensor:
        image: Tensor = self.network.decode(codes.reshape(-1, *self._latent))  # type: ignore[operator]
        return image


class AutoencoderTask(GeneratorTask):
    """One step: voxels and features of the copy, and a prior so weak that it only keeps codes together.

    Args:
        network: trained in place.
        shape: (C, *S).
        settings: how.
        looks, prior: weights of features and of the divergence from a normal distribution, beside the voxels' 1.
        features: that rounds are measured by; see `compared`.
    """

    columns = ("copy error", "kid", "fid", "diversity", "distinctness")
    monitor = "copy error"

    def __init__(
        self, network: nn.Module, shape: Sequence[int], settings: GeneratorTraining, *, looks: float = 0.5,
        prior: float = 1e-4, features: nn.Module | None = None,
    ) -> None:  # fmt: skip
        self.network, self.settings, self.weights = network, settings, (looks, prior)
        self._optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate)
        self._features, self._measured = RandomFeatures(shape[0], len(shape) - 1), features
        self._copies: Tensor | None = None

    def modules(self) -> Mapping[str, nn.Module]:
        return {"autoencoder": self.network}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"autoencoder": self._optimiser}

    def learn(self, images: Tensor, step: int, seed: int, averaged: Averaged) -> Row:
        self._features.to(images.device)
        self.network.train()
        looks, prior = self.weights
        copy, mean, deviation = self.network(images)
        voxels = F.l1_loss(copy, images)
        look = F.l1_loss(self._features(copy), self._features(images))
        away = 0.5 * (mean.square() + deviation.square() - 2 * deviation.log() - 1).flatten(1).sum(1).mean()
        for group in self._optimiser.param_groups:  # falls to a tenth, so that the last weights are settled
            group["lr"] = self.settings.learning_rate * 0.1 ** (step / max(self.settings.steps, 1))
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(voxels + looks * look + prior * away)
        averaged(self.network)
        self._optimiser.step()
        return {"voxel loss": float(voxels.detach()), "prior loss": float(away.detach())}

    def judge(self, images: Tensor) -> Row:
        self.network.eval()
        codes = means_of(self.network, images)
        copies = self.network.decode(codes.reshape(-1, *self._latent(images)))  # type: ignore[operator]
        self._copies = torch.cat([images[:16], copies[:16]])
        return {
            "copy error": float((copies - images).abs().mean()),
            **compared(copies, images, self._measured),
        }

    def pictures(self) -> Tensor | None:
        """Two rows of images, then their copies."""
        return self._copies

    def _latent(self, images: Tensor) -> tuple[int, ...]:
        return tuple(self.network.encode(images[:1])[0].shape[1:])  # type: ignore[operator]


def means_of(network: nn.Module, images: Tensor, batch: int = 128) -> Tensor:
    """(N, D) the codes of images."""
    with torch.no_grad():
        return torch.cat([network.encode(part)[0].flatten(1) for part in torch.split(images, batch)])  # type: ignore[operator]
