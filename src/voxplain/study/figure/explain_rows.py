"""Rows of the folder of `voxplain explain`, which holds one case."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxplain.case import parse_slice, read_case, take_slice
from voxplain.errors import InputError
from voxplain.report.figure import FigureRow
from voxplain.settings.reading import read_yaml
from voxplain.study.explaining.paths import suffix
from voxplain.study.figure.asked import Asked, Rows, class_of, in_order, pick
from voxplain.study.figure.study_rows import truth_of
from voxplain.study.ledger.ledger import Ledger
from voxplain.study.volumes import array_of, ground_of
from voxplain.target.scene import slug

if TYPE_CHECKING:
    from voxplain.case import Case

SETTINGS = "explain.yaml"


def explain_rows(folder: Path, asked: Asked) -> Rows:
    """A row per target.

    Raises:
        InputError: a name that is not there, an image that is not where it was.
    """
    settings, ledger = dict(read_yaml(folder / SETTINGS)), Ledger(folder)
    case = _read(settings, folder)
    pick(str(folder), "case", asked.cases, [case.id])
    told = ledger.methods()
    methods = pick(str(folder), "method", asked.methods, in_order(settings, told))
    rows = {(m, str(row["target"])): row for m in methods for row in told[m].get("rows", ())}
    targets = pick(str(folder), "target", asked.targets, (target for _, target in rows))
    kind = suffix(settings.get("maps", {}).get("format", "auto"), case)
    labels = _labels(folder / f"prediction.{kind}", case)
    meant = settings.get("model", {}).get("label_values")
    found = Rows([], [asked.name(m) for m in methods], [])
    for target in targets:
        maps, units, about = {}, {}, {}
        for method in methods:
            row = rows.get((method, target), {"status": "not asked"})
            path = folder / "maps" / slug(case.id) / method / f"{target}.{kind}"
            if row["status"] not in ("ok", "zero") or not path.is_file():
                found.without.append(f"{method} of {target} ({row['status']})")
                continue
            about = row
            maps[asked.name(method)] = array_of(path, case)
            units[asked.name(method)] = str(told[method].get("unit") or "attribution")
        if maps:
            index = about.get("class_index")
            found.rows.append(FigureRow(
                asked.row(case.id, target, (False, len(targets) > 1)), ground_of(case, []), maps, case.geometry,
                class_of(labels, index), truth_of(case, index, meant, labels is not None and len(labels) == 1),
                {1: asked.name("prediction")}, None, 1, units,
            ))  # fmt: skip
    return found


def _labels(path: Path, case: Case) -> Any:
    return np.rint(array_of(path, case)).astype(np.int32) if path.is_file() else None


def _read(settings: dict[str, Any], folder: Path) -> Case:
    def there(path: str) -> Path:
        return Path(path) if Path(path).is_absolute() else folder / path

    paths = [there(path) for path in settings["image"]]
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise InputError(
            f"{folder / SETTINGS}: its image {missing[0]} is not where it was; expected that file"
        )
    label = settings.get("label")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case = read_case(
            paths if len(paths) > 1 else paths[0], id=settings.get("id"), series=settings.get("series"),
            fill_nan=settings.get("fill_nan"), label=None if label is None else there(label),
        )  # fmt: skip
    return case if settings.get("slice") is None else take_slice(case, *parse_slice(settings["slice"]))
