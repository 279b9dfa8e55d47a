"""All settings of `voxplain simulate`: train, explain and group read the same file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from voxplain.counterfactual.classifier.settings import ClassifierSettings, Name
from voxplain.inherent.settings.config import DataSettings, Names, SplitSettings
from voxplain.settings.fields import Device, Existing, as_list
from voxplain.settings.prepare import PrepareSettings
from voxplain.settings.section import Section, setting
from voxplain.simulator.surrogate import SurrogateSettings
from voxplain.simulator.training import SimulatorTraining

Part = Literal["train", "validation", "test"]


class NetworkSettings(Section):
    """The simulator."""

    name: Literal["velocity", "published"] = setting(
        "velocity",
        "velocity: a stationary velocity field, which does not fold; published: a displacement, as by Liu et al. 2021",
    )
    routing: Literal["shared", "film", "condconv"] | None = setting(
        None,
        "how a velocity network is told the direction; shared (the default): one field, whose sign it is",
    )
    parameters: dict[str, Any] = setting(
        {}, "others of the network, such as widths: [16, 32, 32], brightness: true, norm: batch"
    )


class AtlasSettings(Section):
    """The regions whose volumes are told."""

    source: Existing | None = setting(
        None, "a label image on the grid of all images; none: of each image, by the table's column atlas"
    )
    names: dict[int, str] = setting(
        {}, "of labels, such as {17: hippocampus}; others by the file or by number"
    )


class ExplainSettings(Section):
    """Whom is asked about, and what is written."""

    parts: tuple[Part, ...] = setting(("test",), "of the split")
    target: float | Literal["typical", "boundary", "shift"] = setting(
        "typical",
        "the logit to reach: typical, that of a typical subject of the other class; boundary, where the decision changes; "
        "shift, by the distance of the classes; or a number",
    )
    limit: float = setting(3.0, "largest dose that is tried; 1 is about the distance of the classes", gt=0)
    files: tuple[Literal["frames", "after", "warp", "jacobian", "difference"], ...] = setting(
        ("frames", "after", "warp", "jacobian", "difference"),
        "written per image beside the log-Jacobian, on the image's own grid",
    )
    atlas: AtlasSettings | None = Field(default=None, description="regions whose volumes are told")
    cases: int = setting(12, "on the page, as many of each class as of the other", "images", ge=0)
    device: Device = setting("auto", "auto (a GPU where there is one), cpu, cuda:0, …")


class GroupSettings(Section):
    """What subjects have in common."""

    mask: Existing | None = setting(
        None, "where to test, > 0 on the grid of all: the fewer voxels, the less correction"
    )
    by: Name = setting(None, "a column of the table with two values, such as site: their groups are compared")
    values: Names = setting(None, "the two values that are compared, where the column has more")
    wrong: bool = setting(False, "take subjects, too, whom the classifier sees wrongly")
    permutations: int = setting(4999, "sign flips or exchanges of labels; all where there are no more", ge=99)
    level: float = setting(0.05, "of the tests, after correction over voxels or regions", gt=0, lt=1)
    seed: int = setting(0, "of the permutations", ge=0)


class SimulatorSettings(Section):
    """One classifier that is explained: its data, the simulator's training, whom is asked about."""

    data: DataSettings = Field(description="images, classes, patients; a table may have a column atlas")
    split: SplitSettings = Field(SplitSettings(), description="who is learned from and explained")
    prepare: PrepareSettings = Field(PrepareSettings(), description="from the file to the classifier")
    classifier: ClassifierSettings = Field(description="who is explained")
    network: NetworkSettings = Field(NetworkSettings(), description="the simulator")
    surrogate: SurrogateSettings = Field(
        default_factory=SurrogateSettings, description="how a black box is learned; not used by others"
    )
    training: SimulatorTraining = Field(default_factory=SimulatorTraining, description="how it learns")
    seeds: Annotated[tuple[int, ...], BeforeValidator(as_list)] = setting(
        (0,),
        "a training of its own for each: first weights, order, targets; the first one's files are written",
    )
    explain: ExplainSettings = Field(
        default_factory=ExplainSettings, description="whom is asked about, what is written"
    )
    group: GroupSettings = Field(GroupSettings(), description="what subjects have in common")
    out: Path = setting(Path("simulator"), "folder of the results; what was cut off goes on where it was")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """What one section says must not contradict another."""
        shares = self.split.train + self.split.validation + self.split.test
        if abs(shares - 1) > 1e-6:
            raise ValueError(
                f"split: found shares that add up to {shares:g}, expected train + validation + test = 1"
            )
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) != len(self.seeds):
            raise ValueError(
                f"seeds: found {list(self.seeds)}, expected different numbers from 0, such as [0, 1, 2]"
            )
        told = self.classifier
        if told.misfit:
            raise ValueError(told.misfit)
        if self.training.seed:
            raise ValueError(
                f"training.seed: found {self.training.seed}; write it as seeds: [{self.training.seed}]"
            )
        if self.network.name == "published" and self.network.routing is not None:
            raise ValueError(
                f"network.routing: found {self.network.routing!r} of the published network, which has its own; leave it out"
            )
        if self.group.values is not None and len(set(self.group.values)) != 2:
            raise ValueError(f"group.values: found {', '.join(self.group.values)}, expected two that differ")
        return self
