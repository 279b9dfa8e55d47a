"""All settings of `voxplain inherent`: train, predict and evaluate read the same file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from voxplain.errors import InputError
from voxplain.inherent.training.settings import TrainingSettings
from voxplain.settings.fields import Device, Existing, Scale, as_list, as_text
from voxplain.settings.prepare import PrepareSettings
from voxplain.settings.section import Section, setting

Names = Annotated[tuple[str, ...] | None, BeforeValidator(lambda v: None if v is None else _words(v))]

Values = Annotated[tuple[int, ...], BeforeValidator(as_list)]


def _words(value: Any) -> Any:
    """Names from a list, or from text with commas; YAML reads ``1`` as a number, but a name is meant."""
    parts = value.split(",") if isinstance(value, str) else as_list(value)
    return [as_text(part.strip() if isinstance(part, str) else part) for part in parts]


def _name(value: Any) -> Any:
    """YAML reads ``no`` as false, but the class "no" is meant, or "yes": which spelling it has cannot be told."""
    if value is True or value is False:
        raise ValueError(f"found {str(value).lower()}, expected a class's name; put it in quotes")
    return as_text(value)


ClassName = Annotated[str | None, BeforeValidator(_name)]


def _threshold(text: str) -> str:
    """Only the words, so that a mistake is told before a network is trained."""
    from voxplain.inherent.threshold import parse_threshold

    if text != "auto":
        try:
            parse_threshold(text)
        except InputError as error:
            raise ValueError(str(error)) from None
    return text


def _honest(text: str) -> str:
    """A threshold that new images can have, too."""
    if text.partition(":")[0].strip() == "oracle":
        raise ValueError(
            f"found {text!r}, which needs the truth; expected zero, otsu, multi-otsu, healthy or masks"
        )
    return text


Threshold = Annotated[str, AfterValidator(_threshold)]


class SliceSettings(Section):
    """Slices of volumes as images of their own."""

    axis: Literal["i", "j", "k", "axial", "coronal", "sagittal"] = setting(
        "k", "voxel axis that is cut along, or the plane, whose axis is found volume by volume"
    )
    labels_from_masks: bool = setting(
        False, "a slice has its volume's class where the mask has voxels in it, and is healthy elsewhere"
    )
    least: int = setting(1, "voxels of the mask from which on a slice is not healthy", "voxels", ge=1)
    every: int = setting(1, "takes every n-th slice", ge=1)

    @property
    def along(self) -> int | str:
        """The voxel axis as a number, the plane by its name."""
        return "ijk".index(self.axis) if self.axis in tuple("ijk") else self.axis


class DataSettings(Section):
    """The images, their classes and their patients."""

    source: Existing = Field(
        description="a folder with a folder per class, a .csv or .tsv with columns image and label, an .npz, the folder of "
        "BraTS 2020, or that of Cheng's .mat files"
    )
    layout: Literal["auto", "folders", "csv", "npz", "brats", "figshare"] = setting(
        "auto", "which of these it is"
    )
    classes: Names = setting(None, "in order, the healthy one first; none: as the data name them")
    healthy: ClassName = setting(
        None,
        "the class without a finding, which gets no masks; none: there is no such class; by default what is called healthy, "
        "normal, control, no finding or the like, never benign",
    )
    patient: str | None = setting(
        None,
        "regular expression for the patient in a file's name, or each: every image is a patient of its own",
    )
    masks: Existing | None = setting(
        None, "of folders: masks of the same relative names, for evaluation only"
    )
    multi_label: bool = setting(
        False,
        "of a table: labels are independent, such as edema;effusion in one cell; an empty cell is healthy",
    )
    mask_labels: dict[str, Values] | None = setting(
        None,
        "of independent labels: the values in mask files that mark each class, such as {edema: 2, tumour: [1, 4]}; none: a "
        "mask is of the class of an image that has one",
    )
    spatial_dims: Literal[2, 3] | None = setting(None, "of an .npz that could be either", "axes")
    scans: Names = setting(None, "of BraTS: the channels in order")
    slices: SliceSettings | None = Field(
        None, description="cut volumes into slices; none: images as they are"
    )


class SplitSettings(Section):
    """Which patients are learned from, chosen by and tested on."""

    by: Literal["auto", "given", "drawn"] = setting(
        "auto", "auto: the data's own split where they bring one, else drawn"
    )
    train: float = setting(0.6, "share of the patients", ge=0, le=1)
    validation: float = setting(
        0.2, "share of the patients; of a given split without one, of its training part", ge=0, le=1
    )
    test: float = setting(0.2, "share of the patients", ge=0, le=1)
    grouped: bool = setting(True, "keep patients whole; false shows what leakage does")
    seed: int = setting(0, "of the draw", ge=0)


class NetworkSettings(Section):
    """The classifier whose map is the decision."""

    name: str = setting("gp_unet", "gp_unet, gp_shuffle_unet or gp_recon_resnet")
    source: str | None = setting(
        None, "instead of a name: file.py:function that makes an encoder-decoder, which is wrapped"
    )
    parameters: dict[str, Any] = setting({}, "of the network, such as widths: [8, 16, 32], norm: batch")
    pool: str = setting("topk:share=0.03", "mean, max, topk, lse, softmax or noisy_or, with parameters")
    pool_at: Literal["after", "before"] = setting(
        "after", "the read-out; before: as published, a map that is not the decision"
    )
    seed: int = setting(0, "of the first weights", ge=0)


class MaskSettings(Section):
    """From the map to the mask that is written and that heads the evaluation."""

    threshold: Annotated[Threshold, AfterValidator(_honest)] = setting(
        "auto",
        "zero, otsu, multi-otsu, healthy:share=0.05, masks:count=20; auto: healthy where there is such a class and enough "
        "patients of it, else otsu; of independent labels healthy:floor=0, else zero",
    )
    score: Literal["auto", "contrast", "margin", "evidence"] = setting(
        "auto", "what is thresholded; auto: the contrast to the healthy class, or without one the margin"
    )
    healthy: Literal["no mask", "ignore"] = setting(
        "no mask", "what a healthy prediction means; ignore thresholds all alike"
    )
    keep: Literal["all", "largest"] = setting("all", "which connected parts stay")
    at_least_voxels: int = setting(1, "smaller parts are dropped", "voxels", ge=1)
    at_least_share: float = setting(0.0, "so are parts of at most this share of the image", ge=0, lt=1)
    refine: Literal["random walker", "dense CRF"] | None = setting(
        None, "move the border to where the image has one; shown before and after"
    )


class PredictSettings(Section):
    """What is asked and written."""

    parts: tuple[Literal["train", "validation", "test"], ...] = setting(
        ("validation", "test"), "of the split; evaluation needs both"
    )
    files: tuple[Literal["evidence", "contribution", "spread", "mask"], ...] = setting(
        ("evidence", "contribution", "spread", "mask"),
        "written per image, on the image's own grid; spread: how far several answers differ, where there are several",
    )
    batch: int = setting(16, "images per pass", "images", ge=1)
    device: Device = setting("auto", "auto (a GPU where there is one), cpu, cuda:0, …")
    precision: Literal["fp32", "bf16"] = setting("fp32", "bf16 uses autocast")


class UncertaintySettings(Section):
    """Several answers about each image; their mean is the decision, and how far they differ says how sure it is."""

    mirrored: bool = setting(False, "ask about mirror images, too; 4 passes of a slice, 8 of a volume")
    dropout: int = setting(
        0,
        "times that each is asked with other units dropped; 0: once, with all. Needs network.parameters.dropout",
        ge=0,
    )
    ensemble: int = setting(1, "networks that are trained, each with seeds of its own, and all asked", ge=1)
    seed: int = setting(0, "of the units that are dropped", ge=0)


class EvaluateSettings(Section):
    """What is measured on the test part."""

    thresholds: Annotated[tuple[Threshold, ...], BeforeValidator(as_list)] = setting(
        ("zero", "otsu", "multi-otsu", "healthy", "masks", "oracle", "oracle:per=image"),
        "side by side, besides the one of the masks; what the validation part cannot fit is left out and told",
    )
    draws: int = setting(1000, "of the bootstrap over patients", ge=1)
    level: float = setting(0.95, "of the intervals", gt=0, lt=1)
    seed: int = setting(0, "of the bootstrap", ge=0)
    surfaces: bool = setting(True, "measure distances (HD95, ASSD)")
    boxes: bool = setting(True, "measure MaxBoxAcc")
    cases: int = setting(16, "on the page, as many of each class as of the others", "images", ge=0)


class NetworkPrepare(PrepareSettings):
    """As elsewhere, but intensities are scaled unless it is said that they are not."""

    scale: Scale = setting(
        "zscore",
        "intensities per channel: minmax, percentile, zscore, zscore-nonzero, max, or LOW,HIGH to [0, 1]; null: as they are",
        "the image's",
    )


class InherentSettings(Section):
    """One classifier: its data, its training, its maps and how they are judged."""

    data: DataSettings = Field(description="images, classes, patients")
    split: SplitSettings = Field(SplitSettings(), description="who is learned from and tested on")
    prepare: NetworkPrepare = Field(NetworkPrepare(), description="from the file to the network")
    network: NetworkSettings = Field(NetworkSettings(), description="the classifier")
    training: TrainingSettings = Field(default_factory=TrainingSettings, description="how it learns")
    predict: PredictSettings = Field(PredictSettings(), description="what is asked and written")
    uncertainty: UncertaintySettings = Field(
        UncertaintySettings(), description="several answers about each image; passes multiply"
    )
    mask: MaskSettings = Field(MaskSettings(), description="from the map to the mask")
    evaluate: EvaluateSettings = Field(EvaluateSettings(), description="what is measured")
    out: Path = setting(Path("inherent"), "folder of the results; what was cut off goes on where it was")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """What one section says must not contradict another."""
        shares = self.split.train + self.split.validation + self.split.test
        if abs(shares - 1) > 1e-6:
            raise ValueError(
                f"split: found shares that add up to {shares:g}, expected train + validation + test = 1"
            )
        return self
