"""From an exception to one line and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

DONE, SOME_FAILED, BAD_INPUT, UNEXPECTED, INTERRUPTED = 0, 1, 2, 3, 130


def guarded(work: Callable[[], int | None], *, debug: bool = False) -> int:
    """Run a command; every failure ends in a message on stderr and an exit code.

    Returns:
        0 done; 1 some methods or targets failed; 2 bad input, told in one line per mistake;
        3 an unexpected exception; 130 interrupted.
    """
    try:
        return work() or DONE
    except BaseException as error:
        if isinstance(error, GeneratorExit | SystemExit):
            raise
        if debug:
            traceback.print_exc()
        code, message = told(error)
        for line in message.splitlines():
            print(f"voxplain: {line}", file=sys.stderr)
        return code


def told(error: BaseException) -> tuple[int, str]:
    """The exit code of an exception and what is said about it."""
    import typer

    from voxplain.errors import VoxplainError

    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return INTERRUPTED, "interrupted; the same command goes on where this one stopped"
    if hasattr(
        error, "format_message"
    ):  # click's usage errors, which some typers bring in a copy of their own
        return BAD_INPUT, f"{error.format_message()} (voxplain --help lists what there is)"
    if isinstance(error, VoxplainError):
        return BAD_INPUT, str(error)
    if isinstance(error, BrokenPipeError):
        return DONE, ""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return BAD_INPUT, f"{where}{error.strerror.lower()}"
    text = " ".join(str(error).split()) or "no message"
    text = text if len(text) <= 300 else f"{text[:297]}…"
    return UNEXPECTED, f"unexpected {type(error).__name__}: {text} (run with --debug for the traceback)"
