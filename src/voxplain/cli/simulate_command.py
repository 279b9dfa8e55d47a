"""`voxplain simulate train|explain|group`: what a classifier looks for, as a warp and in millilitres."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxplain.cli.run_options import NewImages, Overrides

if TYPE_CHECKING:
    from voxplain.simulator.running import SimulatorTask

app = typer.Typer(
    help="Warp images until a classifier changes its mind, and map what that took.", no_args_is_help=True,
    rich_markup_mode=None,
)  # fmt: skip
Config = Annotated[Path, typer.Argument(help="YAML with the settings; the three commands read the same.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it will cost, and stop.")]


@app.command("train")
def train(config: Config, *, overrides: Overrides = None, dry_run: DryRun = False) -> int:
    """Train a simulator for every seed on the training part; what was cut off goes on."""
    from voxplain.simulator.page.report import DOUBTFUL
    from voxplain.simulator.running import surrogate, train_simulators
    from voxplain.simulator.training.train import read_told

    task = _task(config, overrides)
    _tell(task, "training", task.settings.training.device)
    if dry_run:
        return 0
    found_all = train_simulators(task)
    if task.settings.classifier.black_box:
        print(surrogate(task).fidelity.sentence())
    for seed, found in zip(task.settings.seeds, found_all, strict=True):
        best = min(found.history, key=lambda row: row["loss"])
        print(
            f"seed {seed}: best epoch {best['epoch']:g}, {100 * best['flipped']:.0f} % of the validation part flip; "
            f"{found.weights}"
        )
    right, asked = read_told(task.places.training(task.settings.seeds[0]))[1]["used"]["train"]
    if right < DOUBTFUL * asked:
        print(
            f"the classifier decides only {right} of {asked} training images rightly: see that classifier.classes are in "
            "the order of its outputs, and that prepare is as in its own training"
        )
    print(f"next: voxplain simulate explain {config}")
    return 0


@app.command("explain")
def explain(
    config: Config,
    images: NewImages = None,
    *,
    overrides: Overrides = None,
    dry_run: DryRun = False,
) -> int:
    """Warps, Jacobians, frames and volumes of the parts, or of new images, as files, and a page."""
    from voxplain.inherent.data.new_images import new_samples
    from voxplain.simulator.running import explain_simulators
    from voxplain.simulator.running.atlas import WITHOUT, atlas_of

    task = _task(config, overrides)
    new = new_samples(images or (), task.samples, task.settings.data.slices, task.preparation.orientation)
    _tell(task, "explanation", task.settings.explain.device, len(new) or None)
    if dry_run:
        return 0
    atlas = task.settings.explain.atlas
    if images and atlas and atlas_of(atlas, task.folder, new=True) is None:
        print(WITHOUT)
    page = explain_simulators(task, images or ())
    print(f"wrote {page}")
    if not images:
        print(f"next: voxplain simulate group {config}")
    return 0


@app.command("group")
def group(config: Config, *, overrides: Overrides = None, dry_run: DryRun = False) -> int:
    """Mean maps with permutation tests, differences between groups, agreement of trainings, on the same page."""
    from voxplain.simulator.page.groups import reached_line
    from voxplain.simulator.running import group_simulators
    from voxplain.simulator.running.cohort import members
    from voxplain.simulator.running.group_step import GROUPS
    from voxplain.simulator.running.records import parts_of

    task = _task(config, overrides)
    found, notes = members(task, parts_of(task))
    counts = ", ".join(f"{len(several)} decided {name}" for name, several in found.items())
    print(f"tests: {counts}; {task.settings.group.permutations:,} permutations at most", *notes, sep="\n")
    if dry_run:
        return 0
    page = group_simulators(task)
    for test in json.loads((task.places.group / GROUPS).read_text(encoding="utf-8"))["tests"]:
        print(f"{test['title']}: {reached_line(test)}")
    print(f"wrote {page}")
    return 0


def _task(config: Path, overrides: list[str] | None) -> SimulatorTask:
    from voxplain.simulator.running import prepare_task
    from voxplain.simulator.settings import load_simulator

    return prepare_task(load_simulator(config, overrides=overrides or ()))


def _tell(task: SimulatorTask, what: str, device: str, images: int | None = None) -> None:
    """What there is and what it will cost, before it starts."""
    import torch

    from voxplain.simulator.running import cost

    counts = ", ".join(f"{len(part)} {name}" for name, part in task.split.parts().items())
    print(f"{len(task.samples)} images ({counts}), {task.names[0]} or {task.names[1]}")
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    print(*[line for line in cost(task, where, images).lines() if line.startswith(what)], sep="\n")
