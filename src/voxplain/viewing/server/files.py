"""The page around the viewer, and what Vite made of `web/src/served`."""

from __future__ import annotations

from importlib.resources import files

from voxplain.errors import InputError

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>voxplain view</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/served.css">
</head>
<body>
<noscript>This page needs its script. `report.html` in the study's folder has still pictures.</noscript>
<script src="/served.js"></script>
</body>
</html>
"""


def page() -> str:
    """The page, which is the same for every study: all that differs comes as data."""
    return PAGE


def script() -> str:
    """The script.

    Raises:
        InputError: it was not built.
    """
    return _built("served.js")


def solid() -> str:
    """What draws in three dimensions, which the page asks for when somebody wants to see it.

    Raises:
        InputError: it was not built.
    """
    return _built("solid.js")


def style() -> str:
    """The colours and tables of all pages, then what this one has besides."""
    colours = files("voxplain.report") / "templates" / "page.css"
    return colours.read_text(encoding="utf-8") + "\n" + _built("served.css")


def _built(name: str) -> str:
    try:
        return (files("voxplain.report.viewer") / "built" / name).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            "the viewer was not built with this installation of voxplain (see VOXPLAIN_SKIP_VIEWER), so there is nothing "
            "to serve; install it again with Node"
        ) from None
