"""`voxplain counterfactual train|explain`: how an image would look if the classifier said something else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxplain.cli.run_options import NewImages, Overrides

if TYPE_CHECKING:
    from voxplain.counterfactual.running.task import CounterfactualTask

app = typer.Typer(
    help="Change images, within a family of plausible ones, until a classifier changes its mind.", no_args_is_help=True,
    rich_markup_mode=None,
)  # fmt: skip
Config = Annotated[Path, typer.Argument(help="YAML with the settings; both commands read the same.")]


@app.command("train")
def train(config: Config, *, overrides: Overrides = None) -> int:
    """Learn the family of images from the training part; what was cut off goes on."""
    import sys

    from voxplain.counterfactual.running.train_step import train_generator

    task = _task(config, overrides)
    counts = ", ".join(f"{len(part)} {name}" for name, part in task.split.parts().items())
    print(f"{len(task.samples)} images ({counts}), {' × '.join(map(str, task.shape))}")
    found = train_generator(task, tell=print)
    told = ", ".join(f"{name} {found.row[name]:.3g}" for name in ("kid", "diversity", "copy error"))
    print(f"{task.settings.generator.family}: {told}; {task.places.generator}")
    if found.warning:
        print(f"voxplain: warning: {found.warning}", file=sys.stderr)
    print(f"next: voxplain counterfactual explain {config}")
    return 0


@app.command("explain")
def explain(
    config: Config,
    images: NewImages = None,
    *,
    overrides: Overrides = None,
) -> int:
    """Series of images towards the other decision with scores and checks, as files, animations and a page."""
    from voxplain.counterfactual.running.explain_step import explain_images

    task = _task(config, overrides)
    done = explain_images(task, images or (), tell=print)
    print(*done.lines, sep="\n")
    print(f"wrote {done.page}")
    return 0


def _task(config: Path, overrides: list[str] | None) -> CounterfactualTask:
    from voxplain.counterfactual.running.task import prepare_task
    from voxplain.counterfactual.settings import load_counterfactual

    return prepare_task(load_counterfactual(config, overrides=overrides or ()))
