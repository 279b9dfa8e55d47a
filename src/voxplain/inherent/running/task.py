"""From settings to what is learned from and what learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from voxplain.errors import InputError
from voxplain.inherent.classifier import EvidenceClassifier
from voxplain.inherent.data import (
    Reader,
    Samples,
    Split,
    given_split,
    mask_values,
    prepared,
    read_brats,
    read_csv,
    read_figshare,
    read_folders,
    read_npz,
    slices_of,
    split_samples,
)
from voxplain.inherent.data.healthy import healthy_class, healthy_told
from voxplain.inherent.data.naming import EACH
from voxplain.inherent.data.orientations import check_orientations
from voxplain.inherent.networks import make_network, wrap
from voxplain.inherent.networks.start import start_neutral
from voxplain.inherent.settings.config import DataSettings, InherentSettings, NetworkSettings, SplitSettings
from voxplain.model import Preparation
from voxplain.settings.prepare import PrepareSettings


@dataclass(frozen=True, eq=False)
class Task:
    """What one settings file is about.

    Attributes:
        settings: the file's.
        samples, split: the data.
        preparation: from files to the network's input.
        network: with its first, random weights.
        shape: (C, *S) of the first prepared image.
        healthy: the class that means "nothing to see"; None where there is none.
    """

    settings: InherentSettings
    samples: Samples
    split: Split
    preparation: Preparation
    network: EvidenceClassifier
    shape: tuple[int, ...]
    healthy: int | None

    @property
    def healthy_told(self) -> str:
        """Which class is healthy and why, in words."""
        samples = self.samples
        return healthy_told(samples.classes, samples.told_healthy, multi_label=samples.multi_label)

    def member(self, number: int) -> EvidenceClassifier:
        """A network of an ensemble, from 0, with first weights of its own; 0 is `network`."""
        if number == 0:
            return self.network
        asked = self.settings.network
        other = asked.model_copy(update={"seed": asked.seed + number})
        return make_classifier(other, self.samples, self.shape)


def prepare_task(settings: InherentSettings) -> Task:
    """Read what there is, divide it, and make the network; of the images only the first one is read.

    Raises:
        InputError: data or a network that cannot be; one line per mistake.
    """
    samples = read_samples(settings.data)
    _ = samples.healthy  # that it cannot be told is said before anything else is done
    check_orientations(samples, settings.prepare.orientation)
    split = divided(samples, settings.split)
    steps = preparation_of(settings.prepare)
    image = prepared(samples[split.train[0]], steps, Reader()).image
    network = make_classifier(settings.network, samples, tuple(image.shape))
    return Task(settings, samples, split, steps, network, tuple(image.shape), samples.healthy)


def read_samples(asked: DataSettings, *, labelled: bool = True) -> Samples:
    """The images by the layout that is asked for, or found out.

    Args:
        asked: the settings.
        labelled: whether every image must have a class.

    Raises:
        InputError: another layout, missing files, masks in place of labels, and whatever else the readers refuse.
    """
    layout = _layout(asked.source) if asked.layout == "auto" else asked.layout
    samples = _READERS[layout](asked, labelled)
    cut = asked.slices
    if asked.mask_labels is not None:
        if not samples.multi_label:
            raise InputError(
                "data.mask_labels: found values of several classes, but an image has one class, whose mask is all that is "
                "drawn; leave it out, or set data.multi_label"
            )
        if samples.mask_values is not None:
            raise InputError(
                "data.mask_labels: found values beside columns mask:…, whose files say which class they are of; leave it out"
            )
        samples = replace(samples, mask_values=mask_values(asked.mask_labels, samples.classes))
    if cut is not None and layout != "brats":
        # slices beside a finding may get a healthy class that volumes do not have
        samples = _told(samples, asked, known=not cut.labels_from_masks)
        samples = slices_of(
            samples, cut.along, labels_from_masks=cut.labels_from_masks, least=cut.least, every=cut.every
        )  # fmt: skip
    if asked.patient == EACH:  # somebody knows that these are different people
        samples = replace(samples, patients_known=True)
    return _told(samples, asked)


def _told(samples: Samples, asked: DataSettings, *, known: bool = True) -> Samples:
    """With the healthy class as it was told; one that is not there is refused, or left where it may come later."""
    if asked.healthy is None or (not known and asked.healthy not in samples.classes):
        return samples
    if samples.multi_label:
        raise InputError(
            f"data.healthy: found {asked.healthy!r}, but labels are independent: an image is healthy where none applies; "
            "leave it out"
        )
    healthy_class(samples.classes, asked.healthy)
    return replace(samples, told_healthy=asked.healthy)


def preparation_of(asked: PrepareSettings) -> Preparation:
    """The steps as the network's room knows them."""
    return Preparation(**asked.model_dump())


def make_classifier(asked: NetworkSettings, samples: Samples, shape: tuple[int, ...]) -> EvidenceClassifier:
    """The network with weights that depend on its seed alone.

    Args:
        asked: which one.
        samples: what it will learn from.
        shape: (C, *S) of the images.

    Raises:
        InputError: an unknown network, pool or parameter.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(asked.seed)
        if asked.source is None:
            head = _head(asked, samples, shape)
            made: EvidenceClassifier = make_network(
                asked.name, shape[0], len(samples.classes), **head, **asked.parameters
            )
        else:
            from voxplain.model.factory import build

            built = build(asked.source, asked.parameters)
            if isinstance(built, EvidenceClassifier):
                return built
            head = _head(asked, samples, shape)
            made = wrap(built, len(samples.classes), in_channels=shape[0], **head)
    start_neutral(made, shape)
    return made


def _head(asked: NetworkSettings, samples: Samples, shape: tuple[int, ...]) -> dict[str, Any]:
    """How features become a decision."""
    return {
        "pool": asked.pool, "pool_at": asked.pool_at, "multi_label": samples.multi_label, "spatial_dims": len(shape) - 1,
    }  # fmt: skip


def _layout(source: Path) -> str:
    if source.is_file():
        found = {".csv": "csv", ".tsv": "csv", ".npz": "npz"}.get(source.suffix.casefold())
        if found is None:
            raise InputError(f"data.source: found {source}, expected a .csv, .tsv or .npz, or a folder")
        return found
    if (source / "name_mapping.csv").exists():
        return "brats"
    return "figshare" if next(source.rglob("*.mat"), None) is not None else "folders"


def divided(samples: Samples, asked: SplitSettings, *, labelled: bool = True) -> Split:
    """The data's own split where they bring one and it is wanted, else one that is drawn.

    Args:
        samples: what is divided.
        asked: the settings.
        labelled: whether every class must be in every part.

    Raises:
        InputError: patients in two parts, a class that is missing in one.
    """
    given = asked.by == "given" or (asked.by == "auto" and samples.parts is not None)
    if given:
        return given_split(samples, validation=asked.validation, seed=asked.seed, labelled=labelled)
    shares = {"train": asked.train, "validation": asked.validation, "test": asked.test}
    return split_samples(samples, shares, seed=asked.seed, grouped=asked.grouped, labelled=labelled)


def _brats(asked: DataSettings, _: bool) -> Samples:
    from voxplain.inherent.data.brats import SCANS

    cut = asked.slices
    if cut is None:
        return read_brats(asked.source, scans=asked.scans or SCANS)
    return read_brats(
        asked.source, scans=asked.scans or SCANS, axis=cut.along, labels_from_masks=cut.labels_from_masks,
        every=cut.every,
    )  # fmt: skip


_READERS: dict[str, Callable[[DataSettings, bool], Samples]] = {
    "folders": lambda d, labelled: read_folders(
        d.source, classes=d.classes, patient=d.patient, masks=d.masks, labelled=labelled
    ),
    "csv": lambda d, labelled: read_csv(
        d.source, classes=d.classes, patient=d.patient, multi_label=d.multi_label, labelled=labelled
    ),
    "npz": lambda d, labelled: read_npz(
        d.source, classes=d.classes, spatial_dims=d.spatial_dims, labelled=labelled
    ),
    "brats": _brats,
    "figshare": lambda d, _: read_figshare(d.source),
}
