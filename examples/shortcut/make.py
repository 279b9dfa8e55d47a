"""Make both networks and the cohort to ask about; what is there already is left alone.

    python examples/shortcut/make.py

Training patients are made in memory. Writes made/shortcut.safetensors and made/control.safetensors,
made/cases/case-01.nii.gz with its label case-01-organs.nii.gz and so on, made/visible/case-01.nii.gz (the same patients,
with a left kidney that can be seen at both sites), the tables made/cases.csv and made/visible.csv, and made/made.json with
settings, hashes and times. The same seed gives the same weights (on one machine, with one number of threads).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# As a script, its own folder is importable, but not the package that it is part of.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from safetensors.torch import load_file, save
from vessels.record import Record

from shortcut.networks import unet
from shortcut.patients import CLASSES, SITES, B, cohort, image
from shortcut.sizes import Size
from shortcut.table import mean_dice, write_table
from shortcut.training import NETWORKS, dice, logits, trained
from voxplain.case import write_array, write_case
from voxplain.case.atomic import write_whole
from voxplain.errors import VoxplainError

MADE = Path(__file__).resolve().parent / "made"
VERSION = 1  # another number makes everything anew
FOLDERS = {"cases": False, "visible": True}  # whether A can be seen at both sites

Tell = Callable[[str, int, int], None]


def make(
    out: Path, size: Size, *, seed: int = 0, device: str = "cpu", tell: Tell | None = None
) -> dict[str, Any]:
    """Make what is missing in a folder; returns the content of its made.json.

    Args:
        out: where to write.
        size: of the cohort, the networks and the training.
        seed: of patients and weights.
        device: where the networks are trained.
        tell: called with (what is being made, done, of how many).

    Raises:
        StorageError: the folder cannot be written to.
    """
    tell = tell or (lambda what, done, of: None)
    record = Record.read(out, size.settings() | {"seed": seed, "version": VERSION})
    if not record.has("cases", _files(size)):
        _write_cases(out, size, seed, tell)
        record.add("cases", _files(size), {"ids": _ids(size)})
    fresh = False
    for name in NETWORKS:
        file = f"{name}.safetensors"
        if not record.has(name, [file]):
            record.add(name, [file], _make_network(out / file, name, size, seed, device, tell))
            fresh = True
    tables = [f"{folder}.csv" for folder in FOLDERS]
    if fresh or not record.has("tables", tables):
        _write_tables(out, size, seed)
        record.add("tables", tables, {})
    return record.content()


def _make_network(file: Path, name: str, size: Size, seed: int, device: str, tell: Tell) -> dict[str, Any]:
    started = time.perf_counter()
    network = trained(
        name, size, seed=seed, device=device, progress=lambda step, steps, _: tell(name, step, steps)
    )
    seconds = time.perf_counter() - started
    write_whole(file, save({key: value.contiguous() for key, value in network.state_dict().items()}))
    return {
        "seconds": round(seconds, 1), "torch": torch.__version__, "threads": torch.get_num_threads(), "device": device,
    }  # fmt: skip


def _write_cases(out: Path, size: Size, seed: int, tell: Tell) -> None:
    people = cohort(size, seed)
    for folder in FOLDERS:
        (out / folder).mkdir(parents=True, exist_ok=True)
    for number, (case, patient) in enumerate(zip(_ids(size), people, strict=True), 1):
        for folder, visible in FOLDERS.items():
            scan = image(patient, size, visible=visible)
            write_case(out / folder / f"{case}.nii.gz", scan)
        assert scan.label is not None  # every phantom has one, and both images have the same
        write_array(out / "cases" / f"{case}-organs.nii.gz", scan.label.astype("uint8"), scan.geometry)
        tell("cases", number, len(people))


def _write_tables(out: Path, size: Size, seed: int) -> None:
    people, networks = cohort(size, seed), {}
    for name in NETWORKS:
        networks[name] = unet(size.widths)
        networks[name].load_state_dict(load_file(out / f"{name}.safetensors"))
        networks[name].eval()
    for folder, visible in FOLDERS.items():
        scans = [image(patient, size, visible=visible) for patient in people]
        dices = {}
        for name, network in networks.items():
            found = logits(network, [scan.image for scan in scans]).argmax(1)
            dices[name] = [dice(f, scan.label) for f, scan in zip(found, scans, strict=True)]
        write_table(out / f"{folder}.csv", folder, _ids(size), people, dices)


def _ids(size: Size) -> list[str]:
    return [f"case-{number:02d}" for number in range(1, size.cases + 1)]


def _files(size: Size) -> list[str]:
    return [
        file
        for case in _ids(size)
        for file in (f"cases/{case}.nii.gz", f"cases/{case}-organs.nii.gz", f"visible/{case}.nii.gz")
    ]


def table(out: Path, network: str) -> Table:
    """Mean Dice of each class, by site and contrast agent ("+" with, "-" without)."""
    groups = [(site, contrast) for site in SITES for contrast in ("yes", "no")]
    heads = [f"{site} {'+' if contrast == 'yes' else '-'}" for site, contrast in groups]
    shown = Table("class", *heads, title=f"Dice of {network} (+: contrast agent in {B})")
    columns = [
        mean_dice(out / "cases.csv", network, site=site, contrast=contrast) for site, contrast in groups
    ]
    for name in CLASSES:
        shown.add_row(name, *(f"{column[name]:.2f}" if name in column else "–" for column in columns))
    return shown


def main(argv: Sequence[str] | None = None) -> None:
    """Read the options, make what is missing, print how good the networks are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=MADE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=Size().cases, help="patients of the cohort")
    parser.add_argument("--device", default="cpu", help='where to train, e.g. "cuda"')
    parser.add_argument("--threads", type=int, help="of torch; its own choice unless given")
    chosen = parser.parse_args(argv)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        rows: dict[str, Any] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in rows:
                rows[what] = bar.add_task(what, total=of)
            bar.update(rows[what], completed=done)

        try:
            size = Size(cases=chosen.cases)
            made = make(chosen.out, size, seed=chosen.seed, device=chosen.device, tell=tell)
        except VoxplainError as error:
            raise SystemExit(f"make.py: {error}") from None
    for name in NETWORKS:
        console.print(table(chosen.out, name))
        console.print(f"{name}: trained in {made['made'][name]['seconds']:.0f} s", highlight=False)
    console.print(f"{chosen.out}", highlight=False)


if __name__ == "__main__":
    main()
