"""All settings of `voxplain counterfactual`: train and explain read the same file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from voxplain.counterfactual.classifier.settings import ClassifierSettings
from voxplain.counterfactual.generator.coordinates import CoordinateSpace
from voxplain.counterfactual.settings.features import FeatureSettings
from voxplain.counterfactual.training.settings import EncoderTraining, StyleTraining, WarmTraining
from voxplain.inherent.settings.config import DataSettings, SplitSettings
from voxplain.settings.fields import Device, Existing
from voxplain.settings.prepare import PrepareSettings
from voxplain.settings.section import Section, setting

Part = Literal["train", "validation", "test"]
Family = Literal["pca", "autoencoder", "stylegan", "diffusion", "module"]
Kind = Literal["ridge", "labels", "gradient", "local"]


class GeneratorSettings(Section):
    """The family of images."""

    family: Family = setting(
        "pca",
        "pca: principal components, exact and without training, the baseline; autoencoder: MONAI's AutoencoderKL; stylegan: "
        "a StyleGAN2 with an encoder; diffusion: MONAI's, guided by the classifier's gradient or by conditions; "
        "module: your own",
    )
    parameters: dict[str, Any] = setting(
        {},
        "of the family, such as components: 0.95 (pca), widths: [16, 32, 64], latent: 4 (autoencoder), styles: 64, "
        "width: 16, space: w+, refine: 50, pivot: 100 (stylegan), widths: [16, 32, 64], steps: 25, depth: 0.4 (diffusion); "
        "of a module, keyword arguments of its function",
    )
    source: str | None = setting(
        None,
        "of a module: file.py:function or package.module:function that gives an object with encode and decode, and, as it "
        "likes, sample and statistics",
    )
    weights: Existing | None = setting(None, "of a module that is a network: .pt, .pth or .safetensors")
    folder: Path | None = setting(
        None,
        "where it lies, so that several classifiers can share it; none: generator in the results' folder",
    )
    features: FeatureSettings = Field(
        default_factory=FeatureSettings, description="what KID and FID compare images by"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.family == "module") != (self.source is not None):
            found = "none" if self.source is None else self.source
            raise ValueError(
                f"source: found {found} for family {self.family}, expected family: module with source: nets.py:generator, "
                "or neither"
            )
        if self.weights is not None and self.family != "module":
            raise ValueError(f"weights: found some for family {self.family}, which is trained, expected none")
        return self


class DirectionSettings(Section):
    """Which way in the family the classifier's answer changes."""

    kind: Kind = setting(
        "ridge",
        "ridge: of logits on whitened codes; labels: logistic regression, as published; local: ridge near each image; "
        "gradient: of each image's code, not for black boxes",
    )
    samples: int = setting(1000, "of the generator that the classifier is asked about", "images", ge=0)
    images: int = setting(500, "of the training part that it is asked about, too, at most", "images", ge=8)
    least_r2: float = setting(
        0.5,
        "share of the logits' variance that ridge or local must tell of images left out; less is refused",
        le=1,
    )
    least_agreement: float = setting(
        0.5, "cosine with directions of images drawn again, 2.5 % quantile, that ridge must have", ge=-1, le=1
    )
    least_pattern: float = setting(
        0.7,
        "correlation that covariances of voxels with the logit, over samples and over copies, must have with those over "
        "real images; less is refused where images are enough to tell",
        ge=-1,
        le=1,
    )
    confounders: tuple[str, ...] = setting(
        (),
        "what must not change along it: columns of the data table, numbers or categories, or brightness, contrast",
    )
    nulls: int = setting(5, "random directions that the found one is held against", ge=1)
    seed: int = setting(0, "of samples, bootstrap and random directions", ge=0)


class ExplainSettings(Section):
    """Whom is asked about, and what is written."""

    parts: tuple[Part, ...] = setting(("test",), "of the split")
    most: int | None = setting(None, "of each part, drawn by the direction's seed; none: all", "images", ge=1)
    target: float | Literal["typical", "boundary"] = setting(
        "typical",
        "the logit to reach: typical, the median of training images of the other decision; boundary, 0; or a number",
    )
    limit: float = setting(
        6.0, "largest dose that is tried, in standard deviations of plausible images", gt=0
    )
    reinject: bool = setting(True, "keep of the image what the generator cannot copy")
    guidance: Literal["gradient", "classifier-free"] = setting(
        "gradient",
        "of a diffusion: gradient, the classifier's, not of black boxes; classifier-free: by a denoiser that is told what "
        "the classifier says of each training image (generator.parameters.conditional: true), of whatever gives logits",
    )
    mask: str | None = setting(
        None,
        "of a diffusion: where alone something may change: auto, where most changes at first; mask, that of the data; or "
        "another column of its table with a file per image",
    )
    mask_share: float = setting(
        0.1, "of the voxels that mask: auto takes, those that change most", gt=0, le=1
    )
    mask_margin: int = setting(1, "by which they grow", "voxels", ge=0)
    files: tuple[Literal["frames", "difference", "animation", "video"], ...] = setting(
        ("frames", "difference", "animation"),
        "written per image, maps on the image's own grid; animation: a GIF; video: the same as MP4, which ffmpeg encodes",
    )
    controls: bool = setting(
        False,
        "do the same with weights drawn anew and with answers exchanged between images, and compare the maps",
    )
    cases: int = setting(12, "on the page, as many of each decision as of the other", "images", ge=0)
    device: Device = setting("auto", "auto (a GPU where there is one), cpu, cuda:0, …")


class ExplainedSettings(ClassifierSettings):
    """Who is explained, and who else is asked whether a decision changes."""

    oracle: ClassifierSettings | None = Field(
        None,
        description="a second classifier, trained apart, which takes the same images: whether it sees decisions change, too",
    )


class AttributeSettings(Section):
    """Which coordinates of the family change the answer, one after the other (AttFind)."""

    most: int = setting(0, "that are shown, those that change it most; 0: nobody asks", ge=0)
    space: CoordinateSpace = setting(
        "auto",
        "styles: channels of the styles of a StyleGAN's layers, as published; codes: whitened codes; auto: styles where the "
        "family has them",
    )
    coordinates: int = setting(64, "that are asked about, those along which images vary most", ge=1)
    images: int = setting(32, "of the training part that each is tried on, both ways", "images", ge=2)
    step: float = setting(2.0, "by which a coordinate is moved", "standard deviations", gt=0)


class CounterfactualSettings(Section):
    """A family of images, a classifier, and whom is asked about."""

    data: DataSettings = Field(
        description="images and patients; labels may be missing, since the generator does not use them"
    )
    split: SplitSettings = Field(SplitSettings(), description="who is learned from and explained")
    prepare: PrepareSettings = Field(
        PrepareSettings(), description="from the file to generator and classifier"
    )
    generator: GeneratorSettings = Field(GeneratorSettings(), description="the family of images")
    training: StyleTraining = Field(
        default_factory=StyleTraining,
        description="how it learns; from penalty on a StyleGAN's alone, and of pca only seed, judged and cache",
    )
    warm: WarmTraining = Field(
        default_factory=WarmTraining,
        description="how a StyleGAN starts: its parts learn to copy images; not used by others",
    )
    encoder: EncoderTraining = Field(
        default_factory=EncoderTraining,
        description="how a StyleGAN's encoder learns; not used by others",
    )
    classifier: ExplainedSettings | None = Field(
        None, description="who is explained; the generator is trained without it"
    )
    direction: DirectionSettings = Field(DirectionSettings(), description="which way its answer changes")
    attributes: AttributeSettings = Field(
        AttributeSettings(), description="which coordinates change its answer, each by itself"
    )
    explain: ExplainSettings = Field(ExplainSettings(), description="whom is asked about, what is written")
    out: Path = setting(
        Path("counterfactual"), "folder of the results; what was cut off goes on where it was"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """What one section says must not contradict another."""
        shares = self.split.train + self.split.validation + self.split.test
        if abs(shares - 1) > 1e-6:
            raise ValueError(
                f"split: found shares that add up to {shares:g}, expected train + validation + test = 1"
            )
        told = self.classifier
        if told is not None and told.misfit:
            raise ValueError(told.misfit)
        if told is not None and told.oracle is not None and told.oracle.misfit:
            raise ValueError(told.oracle.misfit.replace("classifier.", "classifier.oracle.", 1))
        if told is not None and told.black_box and self.direction.kind == "gradient":
            raise ValueError(
                "direction.kind: found gradient for a black box, which gives none; expected ridge, labels or local"
            )
        if self.attributes.space == "styles" and self.generator.family != "stylegan":
            raise ValueError(
                f"attributes.space: found styles for {self.generator.family}, which has codes alone; expected codes or auto"
            )
        return self

    @model_validator(mode="after")
    def _guided(self) -> Self:
        """A diffusion is guided and may be bound to places; others have directions, and may not."""
        if self.generator.family != "diffusion":
            if self.explain.guidance != "gradient":
                raise ValueError(
                    f"explain.guidance: found {self.explain.guidance} for {self.generator.family}, which has directions; "
                    "expected none, or generator.family: diffusion"
                )
            if self.explain.mask is not None:
                raise ValueError(
                    f"explain.mask: found {self.explain.mask} for {self.generator.family}, which changes images as a whole; "
                    "expected none, or generator.family: diffusion"
                )
            return self
        told = self.generator.parameters.get("conditional", False)
        if self.explain.guidance == "classifier-free" and not told:
            raise ValueError(
                "explain.guidance: found classifier-free for a denoiser that is trained without conditions; expected "
                "generator.parameters.conditional: true, and `voxplain counterfactual train`"
            )
        if told and self.classifier is None:
            raise ValueError(
                "generator.parameters.conditional: found true without a classifier, whose answers are the conditions; "
                "expected classifier: {source: …}, for training, too"
            )
        box = self.classifier is not None and self.classifier.black_box
        if box and self.explain.guidance == "gradient":
            raise ValueError(
                "explain.guidance: found gradient for classifier.black_box: a black box gives no gradient, which guides a "
                "diffusion; expected explain.guidance: classifier-free with generator.parameters.conditional: true, or "
                "generator.family: pca, autoencoder or stylegan"
            )
        for name, given in (
            ("direction.confounders", self.direction.confounders), ("attributes.most", self.attributes.most),
            ("explain.controls", self.explain.controls),
        ):  # fmt: skip
            if given:
                raise ValueError(
                    f"{name}: found {given} for a diffusion, which has neither codes nor directions; leave it out"
                )
        if "kind" in self.direction.model_fields_set:
            raise ValueError(
                f"direction.kind: found {self.direction.kind} for a diffusion, which is guided (explain.guidance); "
                "leave it out"
            )
        return self
