"""Every method on every network either says something about that network, or says why not.

What is found must be what docs/matrix.md says; `scripts/write_matrix.py` writes that page.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from matrix.cells import Cell, cells
from matrix.exceptions import ASKED, CONSTANT, FAULTS, UNSTABLE, ZERO
from matrix.page import PAGE, read, record, render
from matrix.world import World, alike, differ, explained, prove_a_map, world
from small import SMALL
from zoo.networks import ZOO

from voxplain.attribution import method, methods
from voxplain.attribution.attribution import Attribution
from voxplain.engine import Problem
from voxplain.errors import VoxplainError

# networks of several channels that nothing but a lack of support could be a reason to refuse
WHOLE = ("unet", "resnet18", "gp_unet")
RECORD = os.environ.get("VOXPLAIN_MATRIX")
# of the windowed cells one in 52 and of the others one in 40, each network another part, and all whole images of the U-Net;
# VOXPLAIN_MATRIX_ALL=1: every cell
ALL = bool(RECORD or os.environ.get("VOXPLAIN_MATRIX_ALL"))


def is_due(cell: Cell) -> bool:
    """Whether a cell is one of those that run by default."""
    setup = cell.setup
    if ALL or (setup.network == "unet" and not setup.windows):
        return True
    turn = sorted(methods()).index(cell.method) + sorted(ZOO).index(setup.network) + setup.dims
    return turn % (52 if setup.windows else 40) == 0


CELLS = [
    pytest.param(c, id=f"{c.setup.network}-{c.setup.shape.replace(' ', '-')}-{c.method}")
    for c in cells()
    if is_due(c)
]


@cache
def page() -> dict[tuple[str, str, str], str]:
    return read(PAGE.read_text(encoding="utf-8")) if PAGE.is_file() else {}


def ask(name: str, problem: Problem, **parameters: Any) -> Attribution:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return method(name, **{**SMALL.get(name, {}), **ASKED.get(name, {}), **parameters}).attribute(problem)


def prove(cell: Cell, here: World, **parameters: Any) -> str:
    """The claims of the page's tick; otherwise what the page says of a rectified map that is zero."""
    found, nudged, redrawn = (
        ask(cell.method, p, **parameters) for p in (here.whole, here.nudged, here.redrawn)
    )
    if cell.key in ZERO:
        assert all("zero to rounding" in a.note for a in found.answers if a.status == "zero")
        assert not set(explained(found)).intersection(explained(redrawn))
        return ZERO[cell.key]
    good, again = explained(found), set(explained(redrawn))
    if {a.status for a in found.answers} == {"zero"} or not again.intersection(good):
        return unrectified(cell, here, parameters, found)
    for t in good:
        prove_a_map(found, t, constant=cell.key in CONSTANT)
        if not methods()[cell.method].signed:
            assert float(found.values(t).min()) >= 0, "declared to have no sign"
    for t in set(good) & set(explained(nudged)):
        if cell.key not in CONSTANT:
            likeness = alike(found.values(t), nudged.values(t))
            assert likeness > UNSTABLE.get(cell.method, 0.99), f"target {t}: rounding noise ({likeness:.3f})"
    assert explained(nudged) == good, "the nudge changed a status"
    assert any(differ(found.values(t), redrawn.values(t)) for t in again & set(good)), (
        "the weights do not matter"
    )
    return CONSTANT.get(cell.key, "")


def unrectified(cell: Cell, here: World, parameters: dict[str, Any], found: Attribution) -> str:
    """The proof without the rectifier that made every map zero."""
    fields = {f.name for f in dataclasses.fields(methods()[cell.method])}
    assert "relu" in fields, [(a.status, a.note) for a in found.answers]
    assert "relu" not in parameters
    assert all("zero to rounding" in a.note for a in found.answers if a.status == "zero")
    return prove(cell, here, relu=False)


@pytest.mark.parametrize("cell", CELLS)
def test_cell(cell: Cell) -> None:
    here = world(cell.setup)
    try:
        if cell.key in FAULTS:
            reason = FAULTS[cell.key]
            with pytest.raises(AssertionError):
                prove(cell, here)
        else:
            reason = prove(cell, here)
    except VoxplainError as error:
        said = str(error).removeprefix(f"method {cell.method}: ")
        reason = (
            said.replace(cell.setup.network, "the network", 1)
            if said.startswith(cell.setup.network)
            else said
        )
        assert reason and "\n" not in reason
    assert here.changed() == []
    if RECORD:
        record(Path(RECORD), os.environ.get("PYTEST_XDIST_WORKER", "main"), cell, reason)
    else:
        assert page().get(cell.key, "not there") == reason, "docs/matrix.md: run scripts/write_matrix.py"


@pytest.mark.skipif(bool(RECORD), reason="the page is being written")
def test_the_page_has_every_method_and_network_and_nothing_else() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert set(read(text)) == {c.key for c in cells()}
    assert render(read(text)) == text


def test_a_page_is_read_as_it_was_written() -> None:
    """With a refusal in one shape of two, which is the hard case."""
    found = {c.key: "" for c in cells()}
    found["gradient", "unet", "3-D windows"] = "it is late; come back, 2 others. wait"
    found["gradient", "vit", cells_of("gradient", "vit")[0].setup.shape] = "no"
    assert read(render(found)) == found


def cells_of(name: str, network: str) -> list[Cell]:
    return [c for c in cells() if (c.method, c.setup.network) == (name, network)]


def test_every_method_meets_every_network_and_every_question() -> None:
    for name in methods():
        mine = [c for c in cells() if c.method == name]
        assert {c.setup.network for c in mine} == set(ZOO)
        assert len({c.setup.question for c in mine}) == 6
    assert len({c.key for c in cells()}) == len(cells())


@pytest.mark.skipif(bool(RECORD), reason="the page is being written")
@pytest.mark.parametrize("name", sorted(methods()))
def test_what_a_method_declares_to_support_it_does_not_refuse(name: str) -> None:
    """A row of refusals, such as for too few samples in tests/small.py, proves nothing."""
    kind = methods()[name]
    said = read(PAGE.read_text(encoding="utf-8"))
    for c in cells():
        supported = c.setup.dims in kind.spatial_dims and ZOO[c.setup.network].task in kind.tasks
        supported = supported and ("evidence" not in kind.needs or c.setup.network == "gp_unet")
        if c.method == name and c.setup.network in WHOLE and supported:
            assert said.get(c.key) == "", c.setup


def test_noise_and_constants_are_told_from_maps() -> None:
    """The proofs themselves: what they must refuse, they refuse."""
    a = torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert alike(a, a * 3 + 1) == pytest.approx(1)
    assert alike(a, -a) == pytest.approx(-1)
    assert abs(alike(a, a.flip(1))) < 0.5
    assert alike(a, torch.ones_like(a)) == 0
    assert not differ(a, a * 3 + 1)
    assert differ(a, a.flip(1))
    steps = (a > 0).float()  # two values: only these can tell
    assert differ(steps, 2 * steps)
    assert not differ(steps, steps * (1 + 1e-5))


def test_every_exception_is_about_a_cell_that_exists() -> None:
    keys = {c.key for c in cells()}
    for listed in (FAULTS, CONSTANT, ZERO):
        assert set(listed) <= keys
    assert set(ASKED) | set(UNSTABLE) <= set(methods())
