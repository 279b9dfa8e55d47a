"""Make the three networks and the test cases of the vessel study; what is there already is left alone.

    python examples/vessels/make.py

Training phantoms are made in memory. Writes made/<network>.safetensors, made/cases/case-01.nii.gz with its label
case-01-vessels.nii.gz and so on, and made/made.json with the settings, hashes, Dice coefficients and times. The same
seed gives the same weights (on one machine, with one number of threads). After a stop, what is whole is kept.
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
from safetensors.torch import save

from vessels.phantoms import held_out_phantoms, training_phantoms
from vessels.record import Record
from vessels.sizes import SIZES, Size
from vessels.training import NETWORKS, dice, trained
from voxplain.case import Case, write_array, write_case
from voxplain.case.atomic import write_whole
from voxplain.errors import VoxplainError

MADE = Path(__file__).resolve().parent / "made"
VERSION = 1  # another number makes everything anew

Tell = Callable[[str, int, int], None]


def make(
    out: Path, size: Size, *, seed: int = 0, device: str = "cpu", tell: Tell | None = None
) -> dict[str, Any]:
    """Make what is missing in a folder; returns the content of its made.json.

    Args:
        out: where to write.
        size: of the phantoms, networks and training.
        seed: of phantoms, weights and patches.
        device: where the networks are trained.
        tell: called with (what is being made, done, of how many).

    Raises:
        StorageError: the folder cannot be written to.
    """
    tell = tell or (lambda what, done, of: None)
    settings = size.settings() | {"seed": seed, "version": VERSION}
    record = Record.read(out, settings)
    cases: list[Case] | None = None
    if not record.has("cases", _files(size)):
        cases = held_out_phantoms(size, seed)
        _write_cases(out, cases, tell)
        record.add("cases", _files(size), {"ids": [case.id for case in cases]})
    people: list[Case] | None = None
    for name in NETWORKS:
        file = f"{name}.safetensors"
        if record.has(name, [file]):
            continue
        people = people or training_phantoms(size, seed)
        cases = cases or held_out_phantoms(size, seed)
        record.add(name, [file], _make_network(out / file, name, people, cases, size, seed, device, tell))
    return record.content()


def _make_network(
    file: Path,
    name: str,
    people: list[Case],
    cases: list[Case],
    size: Size,
    seed: int,
    device: str,
    tell: Tell,
) -> dict[str, Any]:
    started = time.perf_counter()
    network = trained(
        name, people, size, seed=seed, device=device, progress=lambda step, steps, _: tell(name, step, steps)
    )
    seconds = time.perf_counter() - started
    write_whole(file, save({key: value.contiguous() for key, value in network.state_dict().items()}))
    network.to(device)
    found = [round(dice(network, case, device), 4) for case in cases]
    return {
        "dice": found, "mean_dice": round(sum(found) / len(found), 4), "seconds": round(seconds, 1),
        "torch": torch.__version__, "threads": torch.get_num_threads(), "device": device,
    }  # fmt: skip


def _write_cases(out: Path, cases: list[Case], tell: Tell) -> None:
    (out / "cases").mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(cases, 1):
        write_case(out / "cases" / f"case-{number:02d}.nii.gz", case)
        assert case.label is not None  # every phantom has one
        write_array(
            out / "cases" / f"case-{number:02d}-vessels.nii.gz", case.label.astype("uint8"), case.geometry
        )
        tell("cases", number, len(cases))


def _files(size: Size) -> list[str]:
    ends = ("", "-vessels")
    return [f"cases/case-{number:02d}{end}.nii.gz" for number in range(1, size.cases + 1) for end in ends]


def main(argv: Sequence[str] | None = None) -> None:
    """Read the options, make what is missing, print how good the networks are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--out", type=Path, default=MADE)
    parser.add_argument("--seed", type=int, default=0)
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
            made = make(chosen.out, SIZES[chosen.size], seed=chosen.seed, device=chosen.device, tell=tell)
        except VoxplainError as error:
            raise SystemExit(f"make.py: {error}") from None
    for name in NETWORKS:
        about = made["made"][name]
        low, high = min(about["dice"]), max(about["dice"])
        console.print(
            f"{name}: Dice {about['mean_dice']:.3f} on {len(about['dice'])} held-out phantoms "
            f"({low:.3f} to {high:.3f}), trained in {about['seconds']:.0f} s",
            highlight=False,
        )
    console.print(f"{chosen.out}", highlight=False)


if __name__ == "__main__":
    main()
