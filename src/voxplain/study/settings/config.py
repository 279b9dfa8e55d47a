"""All settings of `voxplain explain`: one YAML file holds them, flags and `--set` override them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from voxplain.settings.fields import (
    Classes,
    Existing,
    Head,
    Overlap,
    Roi,
    as_list,
    as_text,
)
from voxplain.settings.prepare import PrepareSettings
from voxplain.settings.section import Section, setting
from voxplain.study.settings.checks import check_method, check_target, method_spec


class ModelSettings(Section):
    """Who is asked."""

    source: str = Field(
        description="the network: file.py:function, package.module:function, a TorchScript or .pt2 file, "
        "a MONAI bundle folder, or the folder of a trained nnU-Net v2",
        min_length=1,
    )
    arguments: dict[str, Any] = setting(
        {}, "keyword arguments of a factory; of an nnU-Net: folds, checkpoint, mirroring, step_size, gaussian"
    )
    weights: Existing | None = setting(None, "weights of a factory's network: .pt, .pth or .safetensors")
    classes: Classes = setting(None, "names of the classes, or a JSON file that is a list or has `labels`")
    task: Literal["classification", "segmentation"] | None = setting(None, "found out where not given")
    output: Literal["softmax", "sigmoid", "binary", "probabilities"] | None = setting(
        None, "what the outputs are; found out where not given"
    )
    head: Head = setting(None, "which tensor of a nested output, such as out, 0 or out.1")
    device: str = setting("auto", "auto (a GPU where there is one), cpu, cuda:0, …")
    precision: Literal["fp32", "bf16"] = setting("fp32", "bf16 uses autocast")
    spatial_dims: Literal[2, 3] | None = setting(None, "found out where not given", "axes")
    label_values: list[list[int]] | None = setting(
        None,
        "for each class, the values of a ground-truth label map that mean it; by default its number, and nothing for the "
        "independent labels of sigmoid",
    )
    resize_output: bool = setting(False, "bring a coarser or finer segmentation to the input's grid")
    trust_code: bool = setting(False, "allow a bundle to run Python code of its own")


class WindowSettings(Section):
    """How the network slides over an image that is larger than its window."""

    roi: Roi = setting(
        None, "window size, one number or one per axis; none: the whole image in one pass", "voxels"
    )
    overlap: Overlap = setting(0.25, "share that neighbouring windows have in common", "of the window")
    blend: Literal["constant", "gaussian", "gaussian-filter"] = setting(
        "constant", "weights of overlapping windows; gaussian-filter as nnU-Net makes it"
    )
    sigma_scale: float = setting(0.125, "width of the Gaussian blend", "of the window", gt=0)
    padding: Literal["constant", "reflect", "replicate", "circular"] = setting(
        "constant", "what surrounds an image smaller than the window"
    )
    padding_value: float = setting(0.0, "value of constant padding", "the prepared image's")
    placement: Literal["dense", "even"] = setting(
        "dense", "dense: steps as MONAI makes them; even: evenly spread as by nnU-Net"
    )


class MapSettings(Section):
    """What is written of the maps."""

    save: bool = setting(True, "write the maps")
    format: Literal["auto", "nii.gz", "nii", "npz", "tif"] = setting(
        "auto", "auto is nii.gz where there is a geometry, tif for pictures and npz for bare arrays"
    )
    figures: int = setting(
        12,
        "how many targets per method are drawn, the largest first; 0: no report.html either",
        "targets",
        ge=0,
    )
    viewer: float = setting(
        9.0,
        "room in report.html for volumes to walk through, of targets that are drawn; coarsened to fit; 0: none",
        "MB",
        ge=0,
    )
    three_d: bool = setting(
        True,
        "a view in three dimensions beside the planes, where there are volumes and 2 MB of room; adds 0.5 MB",
    )


class MethodSpec(BaseModel):
    """A method's name and its parameters."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that were given."""
        return dict(self.model_extra or {})


Method = Annotated[MethodSpec, BeforeValidator(method_spec), AfterValidator(check_method)]
TargetSpec = Annotated[Any, AfterValidator(check_target)]


class ExplainSettings(Section):
    """What `voxplain explain` does."""

    image: Annotated[tuple[Existing, ...], BeforeValidator(as_list)] = Field(
        description="NIfTI, DICOM (folder or file), PNG, JPEG, TIFF, .npy or .npz; several are stacked",
        min_length=1,
    )
    label: Existing | None = setting(None, "ground truth on the image's grid")
    mask: Existing | None = setting(None, "mask on the image's grid for targets mask:CLASS without a file")
    series: Annotated[str | None, BeforeValidator(as_text)] = setting(None, "which DICOM series of a folder")
    slice: str | None = setting(
        None, "one slice of a volume for a 2-D network, by voxel axis and index: k=40", pattern=r"^[ijk]=\d+$"
    )
    fill_nan: float | None = setting(None, "replace NaN in the image by this; without it they are an error")
    id: str | None = setting(None, "name of the case in the results; the file's name where not given")
    model: ModelSettings = Field(description="who is asked")
    prepare: PrepareSettings = Field(PrepareSettings(), description="from the file to the network")
    windows: WindowSettings = Field(WindowSettings(), description="how the network slides")
    targets: Annotated[tuple[TargetSpec, ...], BeforeValidator(as_list)] = setting(
        (),
        "what is explained, such as all, Hippocampus, boundary:liver:2; none: all classes that are present",
    )
    score: Literal["logit", "margin", "log_probability", "probability"] = setting(
        "logit", "of targets without one"
    )
    reduce: Literal["mean", "sum"] = setting("mean", "over a target's region")
    methods: Annotated[tuple[Method, ...], BeforeValidator(as_list), Field(min_length=1)] = setting(
        ("gradient",),
        "names, or {name: …, parameter: …}; `voxplain methods` lists them",
        validate_default=True,
    )
    out: Path = setting(Path("out"), "folder of the results; a run that was cut off goes on where it was")
    seed: int = setting(0, "of everything random", ge=0)
    batch: int | None = setting(None, "samples per pass; none: measured", "samples", ge=1)
    maps: MapSettings = Field(MapSettings(), description="what is written of the maps")
