"""The validation part, judged after every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from voxplain.inherent.training.loading import AddressedImages, validation_loader
from voxplain.inherent.training.loss import losses
from voxplain.inherent.training.scores import scores

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from voxplain.inherent.training.settings import TrainingSettings


class Validation:
    """Loss and scores of the validation part; processes share the work, and all of them know the result.

    Args:
        fabric: where it runs.
        images: all samples, as they are.
        indices: the validation part.
        settings: batch and workers.
        weights: (K,) of the loss, or none.
    """

    def __init__(
        self, fabric: Fabric, images: AddressedImages, indices: Sequence[int], settings: TrainingSettings,
        weights: Tensor | None,
    ) -> None:  # fmt: skip
        self._fabric, self._indices = fabric, list(indices)
        self._truth = images.truth[self._indices]
        self._weights = None if weights is None else weights.cpu()
        share = self._indices[fabric.global_rank :: fabric.world_size]
        loader = validation_loader(images, share, settings.batch, settings.workers)
        self._loader = fabric.setup_dataloaders(loader, use_distributed_sampler=False)

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """Loss, accuracy, balanced accuracy, AUROC and F1; the network is left in evaluation mode."""
        logits = self._gathered(self._logits(network))
        loss = float(losses(logits, self._truth, self._weights).double().mean())
        return {"loss": loss, **scores(logits, self._truth)}

    def _logits(self, network: nn.Module) -> Tensor:
        network.eval()
        found = [torch.zeros(0)]
        with torch.no_grad():
            for image, _ in self._loader:
                with self._fabric.autocast():
                    out = network(image)
                found.append(out.float().cpu())
        return torch.cat(found[1:]) if len(found) > 1 else found[0]

    def _gathered(self, own: Tensor) -> Tensor:
        """The logits of all processes, in the order of the indices."""
        world = self._fabric.world_size
        if world == 1:
            return own
        every: list[Tensor] = [torch.zeros(0)] * world
        torch.distributed.all_gather_object(every, own)
        classes = max(part.shape[-1] for part in every)
        out = torch.empty(len(self._indices), classes)
        for rank, part in enumerate(every):
            out[rank::world] = part.reshape(-1, classes)
        return out
