"""Rows of a study's folder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxplain.case import parse_slice, read_case, take_slice
from voxplain.errors import InputError
from voxplain.report.figure import FigureRow
from voxplain.study.figure.asked import Asked, Rows, class_of, in_order, pick
from voxplain.study.results.stored import Stored, case_name, one_of, settings_of
from voxplain.study.volumes import array_of, ground_of

if TYPE_CHECKING:
    from voxplain.case import Case


def study_rows(study: Path, asked: Asked) -> Rows:
    """Cases × targets of one network, with the maps that are kept.

    Raises:
        InputError: a name that is not there, an image that is not where it was.
    """
    settings = settings_of(study)
    model = one_of(study, "model", asked.model, settings.get("models", ()))
    given = {case_name(case): case for case in settings.get("cases", ())}
    cases = [Stored(study, model, c, given[c]) for c in pick(str(study), "case", asked.cases, given)]
    known = {case.case: {m: case.told(m) for m in case.methods()} for case in cases}
    methods = pick(
        str(study), "method", asked.methods, in_order(settings, (m for told in known.values() for m in told))
    )
    rows = [row for told in known.values() for m in methods for row in told.get(m, {}).get("rows", ())]
    targets = pick(str(study), "target", asked.targets, (str(row["target"]) for row in rows))
    found = Rows([], [asked.name(m) for m in methods], [])
    several = (len(cases) > 1, len(targets) > 1)
    meant = dict(settings.get("models", {})).get(model, {}).get("label_values")
    for case in cases:
        whole = _read(case)
        labels = None if (path := case.labels()) is None else np.rint(array_of(path, whole)).astype(np.int32)
        for target in targets:
            name = asked.row(case.case, target, several)
            row = _row(
                case, whole, labels, known[case.case], methods, target, name, asked, meant, found.without
            )
            if row is not None:
                found.rows.append(row)
    return found


def _row(
    case: Stored, whole: Case, labels: Any, known: Mapping[str, Mapping[str, Any]], methods: list[str], target: str,
    name: str, asked: Asked, meant: Any, without: list[str],
) -> FigureRow | None:  # fmt: skip
    maps, units, about = {}, {}, {}
    for method in methods:
        told = known.get(method, {})
        row = next((r for r in told.get("rows", ()) if r["target"] == target), None)
        path = case.map(method, target)
        if row is None or row["status"] not in ("ok", "zero") or path is None:
            status = "not asked" if row is None else row["status"] if path is not None else "no file"
            without.append(f"{method} of {target} in {case.case} ({status})")
            continue
        about = row
        maps[asked.name(method)] = array_of(path, whole)
        units[asked.name(method)] = str(told.get("unit") or "attribution")
    if not maps:
        return None
    index = about.get("class_index")
    prediction = class_of(labels, index)
    return FigureRow(
        name, ground_of(whole, []), maps, whole.geometry, prediction,
        truth_of(whole, index, meant, labels is not None and len(labels) == 1),
        {1: asked.name("prediction")}, None, 1, units,
    )  # fmt: skip


def truth_of(case: Case, index: int | None, meant: Any, one_map: bool) -> Any:
    """Where the ground truth has a class, whose values are its number unless the settings say others."""
    if case.label is None or index is None or not (one_map or meant):
        return None
    mask = np.isin(case.label, meant[index] if meant else [index])
    return mask.astype(np.uint8) if mask.any() else None


def _read(case: Stored) -> Case:
    missing = [path for path in case.images if not path.exists()]
    if missing:
        raise InputError(
            f"case {case.case!r}: its image {missing[0]} is not where it was; expected the file of the study"
        )
    given, label = case.given, case.given.get("label")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = read_case(
            case.images if len(case.images) > 1 else case.images[0], id=case.case, series=given.get("series"),
            fill_nan=given.get("fill_nan"), label=None if label is None else case.study / label,
        )  # fmt: skip
    return whole if given.get("slice") is None else take_slice(whole, *parse_slice(given["slice"]))
