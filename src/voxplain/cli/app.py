"""The commands under one roof. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

import voxplain
from voxplain.cli.failures import INTERRUPTED, guarded

app = typer.Typer(
    name="voxplain",
    help="Explain any PyTorch model on medical images, with numbers that say whether to believe it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def run(arguments: Sequence[str]) -> int:
    """Run the command line with these arguments and return its exit code."""
    words = [a for a in arguments if a != "--debug"]
    debug = len(words) < len(arguments)
    _register()
    with warnings.catch_warnings():
        _quiet(debug)
        return guarded(lambda: _ran(words), debug=debug)


def _ran(words: Sequence[str]) -> int | None:
    """The exit code; typer turns Ctrl-C into one without a word, so that it is raised again to be told."""
    code: int | None = app(words, standalone_mode=False)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return code


def _show_version(wanted: bool) -> None:
    if wanted:
        print(voxplain.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and all warnings.")] = False,
) -> None:
    pass


def _register() -> None:
    """Add the commands once; each lives in a file of its own."""
    if app.registered_commands:
        return
    from voxplain.cli import (
        aggregate_command,
        config_command,
        counterfactual_command,
        demo_command,
        dicom_command,
        explain_command,
        figure_command,
        inherent_command,
        inspect_command,
        methods_command,
        metrics_command,
        simulate_command,
        study_command,
        view_command,
    )
    from voxplain.cli.ray_option import WithRay

    app.command("explain")(explain_command.explain)
    app.command("study", cls=WithRay)(study_command.study)
    app.command("aggregate", cls=WithRay)(aggregate_command.aggregate)
    app.add_typer(inherent_command.app, name="inherent")
    app.add_typer(simulate_command.app, name="simulate")
    app.add_typer(counterfactual_command.app, name="counterfactual")
    app.command("view")(view_command.view)
    app.command("dicom")(dicom_command.dicom)
    app.command("figure")(figure_command.figure)
    app.command("methods")(methods_command.methods)
    app.command("metrics")(metrics_command.metrics)
    app.command("inspect")(inspect_command.inspect)
    app.command("config")(config_command.config)
    app.command("demo")(demo_command.demo)


def _quiet(debug: bool) -> None:
    """Warnings as one line each, and only voxplain's own: those of libraries are not the user's to mend."""
    if debug:
        warnings.simplefilter("default")
        return
    warnings.simplefilter("ignore")
    warnings.filterwarnings("default", module=r"voxplain(\.|$)")

    def show(message: Warning | str, *_: object) -> None:
        print(f"voxplain: warning: {' '.join(str(message).split())}", file=sys.stderr)

    warnings.showwarning = show  # type: ignore[assignment]
