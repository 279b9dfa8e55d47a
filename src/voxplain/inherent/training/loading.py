"""Loading of batches: prepared images, changed at random for training, with what they should be."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from voxplain.inherent.data.augment import Augment
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.data.sample import Samples
from voxplain.inherent.training.batches import Address, EpochBatches

Batch = tuple[Tensor, Tensor]


class AddressedImages(Dataset[Batch]):
    """Image and target by (epoch, index).

    Args:
        images: prepared.
        truth: targets of all samples; see `truth_of`.
        augment: how they are changed in each epoch.
    """

    def __init__(self, images: Images, truth: Tensor, augment: Augment | None = None) -> None:
        self.images, self.truth, self.augment = images, truth, augment

    def __getitem__(self, address: Address) -> Batch:
        epoch, index = address
        image = self.images[index]
        if self.augment is not None:
            image = self.augment(image, self.images.samples[index].id, epoch)
        return image, self.truth[index]


def truth_of(samples: Samples) -> Tensor:
    """(N,) int64 classes, or (N, K) float32 zeros and ones of independent labels."""
    if samples.multi_label:
        from voxplain.inherent.data.sample import targets

        return torch.from_numpy(targets(samples, len(samples.classes)))
    return torch.tensor([sample.label for sample in samples])


def training_loader(images: AddressedImages, order: EpochBatches, workers: int) -> DataLoader[Batch]:
    """One loader for all epochs; its workers live as long."""
    return DataLoader(
        images, batch_sampler=order, num_workers=workers, persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        # a generator of its own: the loader must not draw from the network's
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip


def validation_loader(
    images: AddressedImages, indices: Sequence[int], batch: int, workers: int
) -> DataLoader[Batch]:
    """The validation part in order, as it is."""
    order = [[(0, index) for index in indices[i : i + batch]] for i in range(0, len(indices), batch)]
    return DataLoader(
        images, batch_sampler=order, num_workers=workers, persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(), generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
