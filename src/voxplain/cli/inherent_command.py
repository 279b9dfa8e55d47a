"""`voxplain inherent train|predict|evaluate`: classifiers whose map is the decision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxplain.cli.run_options import NewImages, Overrides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxplain.inherent import Task
    from voxplain.inherent.data import Sample

app = typer.Typer(
    help="Train, ask and judge classifiers whose map is the decision.", no_args_is_help=True, rich_markup_mode=None
)  # fmt: skip
Config = Annotated[Path, typer.Argument(help="YAML with the settings; the three commands read the same.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it will cost, and stop.")]


@app.command("train")
def train(config: Config, *, overrides: Overrides = None, dry_run: DryRun = False) -> int:
    """Train on the training part, choose the epoch on the validation part; what was cut off goes on."""
    from voxplain.inherent import train_inherent
    from voxplain.inherent.running.foreseen import check_foreseen

    task = _task(config, overrides)
    check_foreseen(task)
    _tell(task, "training", task.settings.training.device)
    if dry_run:
        return 0
    for trained in train_inherent(task):
        best = trained.best
        print(f"best epoch {best.epoch}: validation {best.metric} {best.value:.4g}; {best.weights}")
    print(f"next: voxplain inherent predict {config}")
    return 0


@app.command("predict")
def predict(
    config: Config,
    images: NewImages = None,
    *,
    overrides: Overrides = None,
    dry_run: DryRun = False,
) -> int:
    """Evidence, contributions, logits and masks of the validation and test parts, or of new images, as files."""
    from voxplain.inherent import predict_inherent
    from voxplain.inherent.data.new_images import new_samples
    from voxplain.inherent.running.foreseen import check_asked

    task = _task(config, overrides)
    new = new_samples(images or (), task.samples, task.settings.data.slices, task.preparation.orientation)
    check_asked(task, new=bool(new))
    _tell(task, "prediction", task.settings.predict.device, new)
    if dry_run:
        return 0
    places = predict_inherent(task, new)
    print(f"wrote {places.cases('new') if new else places.prediction}")
    if not images:
        print(f"next: voxplain inherent evaluate {config}")
    return 0


@app.command("evaluate")
def evaluate(config: Config, *, overrides: Overrides = None, dry_run: DryRun = False) -> int:
    """Decisions, maps and masks of the test part against the truth: tables, and a page with every step."""
    from voxplain.inherent import cost_of_evaluation, evaluate_inherent
    from voxplain.inherent.running.summary import summary

    task = _task(config, overrides)
    print(*cost_of_evaluation(task).lines(), sep="\n", flush=True)
    if dry_run:
        return 0
    found = evaluate_inherent(task)
    print("\n".join(summary(found)))
    print(f"wrote {found.places.page}")
    return 0


def _task(config: Path, overrides: list[str] | None) -> Task:
    from voxplain.inherent import load_inherent, prepare_task

    return prepare_task(load_inherent(config, overrides=overrides or ()))


def _tell(task: Task, what: str, device: str, new: Sequence[Sample] = ()) -> None:
    """What there is and what it will cost, before it starts."""
    import torch

    from voxplain.inherent import cost
    from voxplain.inherent.running.headline import choice_told
    from voxplain.inherent.running.questions import questions

    counts = ", ".join(f"{len(part)} {name}" for name, part in task.split.parts().items())
    shape = " × ".join(map(str, task.shape))
    print(
        f"{len(task.samples)} images ({counts}) of classes {', '.join(task.samples.classes)}; channels × size: {shape}"
    )
    print(f"healthy: {task.healthy_told}")
    if "mask" in task.settings.predict.files:
        print(*[f"masks: {choice_told(task, question)}" for question in questions(task)], sep="\n")
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    print(*[line for line in cost(task, where, new).lines() if line.startswith(what)], sep="\n")
