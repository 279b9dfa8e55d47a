"""The API reference: a page per room, from its ``__all__``; and links to what is documented, wherever it was defined."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

# In the order that a question goes through them.
ROOMS = (
    "case", "model", "target", "engine", "attribution", "metric", "aggregate", "report", "study", "viewing",
    "inherent", "counterfactual", "simulator", "phantom", "demo", "errors",
)  # fmt: skip


def public_names(room: str) -> list[str]:
    """The names that a room offers; of a module without ``__all__`` the classes that it defines."""
    module = import_module(f"voxplain.{room}")
    own = getattr(module, "__all__", None)
    if own is None:
        own = [n for n, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module.__name__]
    return sorted(own, key=str.lower)


def page(room: str) -> str:
    """The page of a room, in reStructuredText."""
    module = import_module(f"voxplain.{room}")
    names = public_names(room)
    title = f"voxplain.{room}"
    shortcuts = {name for names in import_module("voxplain")._ROOMS.values() for name in names}
    short = [f"``{name}``" for name in names if name in shortcuts]
    lines = [title, "=" * len(title), "", f".. automodule:: {title}", "   :no-members:", ""]
    if short:
        lines += [f"Also as ``voxplain.NAME``: {', '.join(short)}.", ""]
    lines += [f".. currentmodule:: {title}", "", ".. autosummary::", "   :nosignatures:", ""]
    lines += [f"   {name}" for name in names]
    for name in names:
        lines += ["", *_entry(name, getattr(module, name))]
    return "\n".join(lines) + "\n"


def _entry(name: str, value: object) -> list[str]:
    if inspect.isclass(value):
        return [f".. autoclass:: {name}", "   :members:", "   :show-inheritance:"]
    if inspect.isroutine(value):
        return [f".. autofunction:: {name}"]
    return [f".. autodata:: {name}", "   :no-value:"]


def _write(app: Sphinx) -> None:
    folder = Path(app.srcdir) / "api" / "rooms"
    folder.mkdir(parents=True, exist_ok=True)
    for room in ROOMS:
        path, text = folder / f"{room}.rst", page(room)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: Element) -> Element | None:
    """Signatures name a class where it is defined, or by its bare name; it is documented in its room."""
    if node.get("refdomain") != "py":
        return None
    from sphinx.util.nodes import make_refnode

    target = str(node.get("reftarget", ""))
    if not (target.startswith("voxplain.") or "." not in target):
        return None
    name = target.rsplit(".", 1)[-1]
    documented = env.domains.python_domain.objects
    rooms = target.split(".")[1:2] + list(ROOMS)
    for room in rooms:
        full = f"voxplain.{room}.{name}"
        if full in documented:
            found = documented[full]
            return make_refnode(app.builder, str(node["refdoc"]), found.docname, found.node_id, [text], full)
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx."""
    app.connect("builder-inited", _write)
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
