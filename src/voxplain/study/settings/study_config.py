"""All settings of `voxplain study`: models × cases × targets × methods × metrics in one YAML file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from voxplain.errors import suggest
from voxplain.settings.fields import CHECKED, MEMORY, WORKERS, Device, Existing, as_list, as_text
from voxplain.settings.prepare import PrepareSettings
from voxplain.settings.section import Section, setting
from voxplain.study.settings.checks import check_metric, method_spec, no_repeats
from voxplain.study.settings.config import Method, MethodSpec, ModelSettings, TargetSpec, WindowSettings
from voxplain.study.settings.names import case_id, check_apart
from voxplain.study.settings.region_config import LABEL, RegionSettings

# What is judged where nothing else is asked for: one or two of every kind, none that needs a mask.
METRICS = (
    "completeness",
    "faithfulness_correlation",
    "infidelity",
    "normalized_infidelity",
    "deletion",
    "insertion",
    "road",
    "sensitivity_average",
    "sensitivity_max",
    "rounding_stability",
    "mprt_absolute",
    "complexity",
    "sparseness",
    "mean_agreement",
)
ONE_METHOD = "mean_agreement"
NAMED = 6  # cases that a warning names


class MetricSpec(MethodSpec):
    """A metric's name and its parameters."""


Metric = Annotated[MetricSpec, BeforeValidator(method_spec), AfterValidator(check_metric)]


class StudyModel(ModelSettings):
    """One of the networks that are compared."""

    prepare: PrepareSettings = Field(PrepareSettings(), description="from the file to the network")
    windows: WindowSettings = Field(WindowSettings(), description="how the network slides")
    targets: Annotated[
        tuple[TargetSpec, ...] | None, BeforeValidator(lambda v: v if v is None else as_list(v))
    ] = setting(None, "of this model, where its classes have names of their own; the study's by default")
    batch: int | None = setting(None, "samples per pass; none: by the size of the window", "samples", ge=1)

    @property
    def given(self) -> dict[str, Any]:
        """Where the network comes from, which its hash stands for once it is loaded."""
        return self.model_dump(mode="json", include={"source", "weights"})


class StudyCase(Section):
    """One image with what belongs to it."""

    image: Annotated[tuple[Existing, ...], BeforeValidator(as_list)] = Field(
        description="NIfTI, DICOM (folder or file), PNG, JPEG, TIFF, .npy or .npz; several are stacked",
        min_length=1,
    )
    id: Annotated[str | None, BeforeValidator(as_text)] = setting(
        None, "name of the case in the results; the file's name where not given"
    )
    label: Existing | None = setting(None, "ground truth on the image's grid")
    mask: Existing | None = setting(None, "mask on the image's grid for targets mask:CLASS without a file")
    series: Annotated[str | None, BeforeValidator(as_text)] = setting(None, "which DICOM series of a folder")
    slice: str | None = setting(
        None, "one slice of a volume for a 2-D network, by voxel axis and index: k=40", pattern=r"^[ijk]=\d+$"
    )
    fill_nan: float | None = setting(None, "replace NaN in the image by this; without it they are an error")
    meta: dict[str, Any] = setting({}, "what else is known of the case, such as age, sex or site")


class RunSettings(Section):
    """How the work is spread over this machine; none of it changes a result by more than rounding."""

    workers: Annotated[int | Literal["auto"], WORKERS] = setting(
        "auto",
        "processes, each with a copy of the model; auto: one per GPU, else cores / threads",
        "processes",
    )
    threads: int = setting(
        1, "of each process on the CPU; results are bit-equal for equal threads", "threads", ge=1
    )
    devices: Annotated[tuple[Device, ...], BeforeValidator(as_list), Field(min_length=1)] = setting(
        ("auto",), "shared out among the workers: auto (every GPU, else cpu), cpu, cuda:0, …"
    )
    timeout: float | None = setting(
        None, "a task that takes longer is ended, and the others go on", "seconds", gt=0
    )
    memory: Annotated[float | Literal["auto", "unlimited"], MEMORY] = setting(
        "auto", "that a process on the CPU may take; auto: its share of what is free now", "GiB"
    )
    attempts: int = setting(
        2, "how often a task is tried that ends its process without a word", "attempts", ge=1
    )


class StudyMaps(Section):
    """What is kept of the maps."""

    save: bool = setting(True, "write maps in the case's own geometry")
    format: Literal["auto", "nii.gz", "nii", "npz", "tif"] = setting(
        "auto", "auto is nii.gz where there is a geometry, tif for pictures and npz for bare arrays"
    )
    pictures: int = setting(
        1, "of how many targets per case a small picture is drawn, the largest first", "targets", ge=0
    )
    viewer: float = setting(
        12.0,
        "room in report.html for volumes to walk through, of targets that have pictures; coarsened to fit; 0: none",
        "MB",
        ge=0,
    )
    three_d: bool = setting(
        True,
        "a view in three dimensions beside the planes, where there are volumes and 2 MB of room; adds 0.5 MB",
    )
    working: Literal["keep", "drop"] = setting(
        "keep",
        "the maps on the network's grid, which metrics read: keep, or drop when a case is finished; "
        "later metrics would have to make them again",
    )


class CompareSettings(Section):
    """How methods are compared over cases."""

    test: Literal["signed_rank", "sign_flip"] = setting("signed_rank", "of pairs of methods")
    alpha: float = setting(0.05, "level of tests, after Holm's correction", gt=0, lt=1)
    least_cases: int = setting(6, "fewer give no verdict", "cases", ge=2)
    randomised: float = setting(
        0.5,
        "likeness to maps of redrawn networks, from that of the gradient (0) to that of edges (1), "
        "above which a method fails",
    )
    agreement: Literal["spearman", "spearman_absolute", "pearson", "pearson_absolute", "top_k", "ssim"] = (
        setting("spearman_absolute", "how maps of two methods are compared")
    )


class StudySettings(Section):
    """What `voxplain study` does."""

    title: str = setting("", "of the page")
    description: str = setting("", "what the study asks, for the page; also told where a file is missing")
    models: dict[str, StudyModel] = Field(description="a name and settings for each network", min_length=1)
    cases: tuple[StudyCase, ...] = Field(
        description="a list; {id} in paths stands for every name that fits; a .csv or .tsv with a column image; or a folder",
        min_length=1,
    )
    targets: Annotated[tuple[TargetSpec, ...], BeforeValidator(as_list)] = setting(
        (),
        "what is explained, such as all, Hippocampus, boundary:liver:2; none: all classes that are present",
    )
    score: Literal["logit", "margin", "log_probability", "probability"] = setting(
        "logit", "of targets without one"
    )
    reduce: Literal["mean", "sum"] = setting("mean", "over a target's region")
    methods: Annotated[tuple[Method, ...], BeforeValidator(as_list)] = setting(
        ("gradient", "integrated_gradients", "smoothgrad"),
        "names, or {name: …, parameter: …}; `voxplain methods` lists them; all stands for every one",
        validate_default=True,
    )
    metrics: Annotated[tuple[Metric, ...], BeforeValidator(as_list)] = setting(
        METRICS,
        "names, or {name: …, parameter: …}; `voxplain metrics` lists them; all stands for every one",
        validate_default=True,
    )
    regions: RegionSettings | None = setting(
        None, "what each segment depends on, over all cases: tables, games, a cohort's page"
    )
    nulls: int = setting(5, "random maps that stand beside every map", "maps", ge=1)
    seed: int = setting(0, "of everything random", ge=0, lt=2**63)
    run: RunSettings = Field(RunSettings(), description="how the work is spread over this machine")
    maps: StudyMaps = Field(StudyMaps(), description="what is kept of the maps")
    compare: CompareSettings = Field(CompareSettings(), description="how methods are compared over cases")
    out: Path = setting(
        Path("study"), "folder of the results; the same command goes on where a run was cut off"
    )

    @field_validator("models")
    @classmethod
    def _models_apart(cls, value: dict[str, StudyModel]) -> dict[str, StudyModel]:
        check_apart(value, "give each a name of its own")
        return value

    @field_validator("cases")
    @classmethod
    def _cases_apart(cls, value: tuple[StudyCase, ...]) -> tuple[StudyCase, ...]:
        check_apart(map(case_id, value), "give each a name of its own, id: …")
        return value

    @model_validator(mode="after")
    def _something_to_do(self, info: ValidationInfo) -> StudySettings:
        if not self.methods and self.regions is None:
            raise ValueError("methods: found none, and no regions; name a method, or say regions: {}")
        if self.regions is not None and info.context != CHECKED:
            self._check_labels(self.regions)
            self._check_region_files(self.regions)
            self._check_groups(self.regions)
        return self

    def _check_groups(self, regions: RegionSettings) -> None:
        known = list(dict.fromkeys(str(key) for case in self.cases for key in case.meta))
        for name in regions.groups:
            if name not in known:
                raise ValueError(f"regions.groups: no case has {name!r} in its meta; {suggest(name, known)}")

    def _check_labels(self, regions: RegionSettings) -> None:
        """A case without a label has no rows of that division, which is worth a word; a cohort without any is a mistake."""
        without = [case_id(case) for case in self.cases if case.label is None]
        if not without or LABEL not in [source.source for source in regions.of]:
            return
        if len(without) == len(self.cases):
            raise ValueError(
                f"regions.of: found {LABEL}, but no case has a label; give labels, or another division"
            )
        told = ", ".join(without[:NAMED]) + (", …" if len(without) > NAMED else "")
        warnings.warn(
            f"regions.of: {len(without)} of {len(self.cases)} cases have no label, and so no rows of that division: {told}",
            stacklevel=2,
        )

    def _check_region_files(self, regions: RegionSettings) -> None:
        for source in regions.of:
            for case in self.cases:
                found = source.file_of(case_id(case), case.label)
                if found is not None and not found.exists():
                    raise ValueError(
                        f"regions.of: {found} does not exist, expected one for case {case_id(case)}"
                    )

    @field_validator("metrics")
    @classmethod
    def _each_metric_once(cls, value: tuple[MetricSpec, ...]) -> tuple[MetricSpec, ...]:
        no_repeats("metric", [spec.name.strip().lower().replace("-", "_") for spec in value])
        return value
