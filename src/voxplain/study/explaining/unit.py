"""One unit of work: one method on all targets, from the network to files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxplain.errors import OutOfMemoryError, VoxplainError
from voxplain.report import figure_paths, findings, pictures, save_figures
from voxplain.report.page import MethodCard, Picture, Section
from voxplain.study.explaining.paths import figure_folder, map_path

if TYPE_CHECKING:
    import numpy as np

    from voxplain.attribution import Attribution
    from voxplain.attribution.method import Method
    from voxplain.case import Case
    from voxplain.engine import Problem
    from voxplain.study.ledger.ledger import Ledger
    from voxplain.study.settings.config import ExplainSettings


@dataclass(frozen=True)
class Unit:
    """A method, the folder name of its results, and the hashes of all that they depend on.

    An optional one was not asked for by name: where it cannot be done, it is refused, which is no failure.
    """

    name: str
    method: Method
    run_key: str
    key: str
    optional: bool = False


def unit_names(methods: Sequence[Method]) -> list[str]:
    """The methods' names; one that is asked for twice gets a number."""
    names: list[str] = []
    for method in methods:
        count = sum(name == method.name or name.startswith(f"{method.name}-") for name in names)
        names.append(method.name if not count else f"{method.name}-{count + 1}")
    return names


def work(unit: Unit, problem: Problem, settings: ExplainSettings, ledger: Ledger) -> dict[str, Any]:
    """Run the method, write its maps and figures, and enter them in the ledger.

    Returns:
        What the table and the page need of them, as plain data.
    """
    attribution = unit.method.attribute(problem)
    rows = [{**row, "method": unit.name} for row in attribution.rows()]
    drawn = _to_draw(attribution, settings.maps.figures)
    files: list[Path] = []
    sections = []
    for index, row in enumerate(rows):
        made, section = _target(unit, attribution, index, row, settings, ledger, draw=index in drawn)
        files += made
        sections.append(plain_section(section, settings.out))
    card = MethodCard(
        name=unit.name,
        parameters=attribution.parameters,
        text=f"{unit.method.title}. How to read it: {unit.method.reads}.",
        source=unit.method.source,
    )
    result = {
        "rows": rows,
        "sections": sections,
        "card": asdict(card),
        "unit": attribution.unit,
        "answer": unit.method.answer,
    }
    return ledger.finish(unit.name, unit.key, files, result)


def refusal(unit: Unit, problem: Problem) -> VoxplainError | None:
    """Why an optional method cannot be done on this network, image and targets."""
    return refusal_of(unit.method, problem) if unit.optional else None


def refusal_of(method: Method, problem: Problem) -> VoxplainError | None:
    """Why a method cannot be done on this network, image and targets; none where it can."""
    try:
        method.check(problem.model)
        method.check_problem(problem)
        method.cost(problem)  # finds the layer, cuts the parts
    except VoxplainError as error:
        return error
    return None


def failed_rows(
    unit: Unit, problem: Problem, error: Exception, status: str | None = None
) -> list[dict[str, Any]]:
    """Rows that say why a method has no maps."""
    status = status or ("out-of-memory" if isinstance(error, OutOfMemoryError | MemoryError) else "failed")
    text = " ".join(str(error).split())
    note = text if isinstance(error, VoxplainError) else f"unexpected {type(error).__name__}: {text}"
    return [
        {
            "case": problem.case.id,
            "model": problem.model.name,
            "method": unit.name,
            "target": target.name,
            "kind": target.kind,
            "class": target.class_name,
            "class_index": target.class_index,
            "score_kind": target.score,
            "status": status if target.status == "ok" else target.status,
            "seed": problem.seed,
            "note": note if target.status == "ok" else target.note,
        }
        for target in problem.targets
    ]


def plain_section(section: Section, out: Path) -> dict[str, Any]:
    """A section as plain data, its pictures relative to the output folder."""
    data = asdict(section)
    for picture in (*data["pictures"], *([data["tile"]] if data["tile"] else [])):
        picture["png"] = Path(picture["png"]).relative_to(out).as_posix()
    return data


def _target(
    unit: Unit,
    attribution: Attribution,
    index: int,
    row: dict[str, Any],
    settings: ExplainSettings,
    ledger: Ledger,
    *,
    draw: bool,
) -> tuple[list[Path], Section]:
    answer = attribution.answers[index]
    files: list[Path] = []
    shown: tuple[Picture, ...] = ()
    small: Picture | None = None
    notes = [answer.note] if answer.note else []
    if answer.status in ("ok", "zero"):
        values = attribution.map(index)
        if settings.maps.save:
            path = map_path(settings, attribution.problem.case, unit.name, row["target"])
            ledger.claim(unit.name, [path])
            files.append(_save(values, path, attribution.problem.case))
        if draw and answer.status == "ok":
            try:
                shown, small = _draw(values, unit, attribution, index, settings, ledger)
            except VoxplainError as error:
                notes.append(f"no figures: {error}")
    files += [Path(str(p.png)) for p in (*shown, *([small] if small else []))]
    section = Section(
        method=unit.name,
        target=row["target"],
        row={
            "score": row["score"],
            "status": row["status"],
            "forward": row["forward_passes"],
            "backward": row["backward_passes"],
            "seconds": row["seconds"],
            "peak_mb": row["peak_memory_mb"],
        },
        findings=findings(answer.status, answer.checks),
        pictures=shown,
        notes=tuple(notes),
        tile=small,
    )
    return files, section


def _save(values: np.ndarray, path: Path, case: Case) -> Path:
    from voxplain.case import write_array

    path.parent.mkdir(parents=True, exist_ok=True)
    write_array(path, values, case.geometry)
    return path


def _to_draw(attribution: Attribution, limit: int) -> set[int]:
    """The targets with the largest regions, as many as are asked for."""

    def size(index: int) -> int:
        region = attribution.answers[index].target.region
        return region.count if region is not None else 0

    return set(sorted(range(len(attribution.answers)), key=lambda i: (-size(i), i))[:limit])


def _draw(
    values: np.ndarray,
    unit: Unit,
    attribution: Attribution,
    index: int,
    settings: ExplainSettings,
    ledger: Ledger,
) -> tuple[tuple[Picture, ...], Picture]:
    import numpy as np

    from voxplain.case.atomic import write_whole
    from voxplain.report import draw_all, scenes, slug, tile
    from voxplain.study.explaining.prediction import class_mask

    problem, target = attribution.problem, attribution.answers[index].target
    case = problem.case
    meant = problem.model.label_values
    truth = None
    if case.label is not None and meant is not None:
        truth = np.isin(case.label, meant[target.class_index]).astype("uint8")
    image, values = shown_of(values, unit.method, problem)
    scene = scenes(
        image,
        values,
        geometry=case.geometry,
        prediction=class_mask(problem, target.class_index),
        truth=truth if truth is not None and truth.any() else None,
        names={1: target.class_name},
        title=f"{unit.name}: {target.name}",
        unit=attribution.unit,
        spatial_dims=case.spatial_dims,
    )
    drawings = draw_all(scene)
    folder = figure_folder(settings, case, unit.name)
    small = folder / f"{slug(target.name)}-tile.png"
    ledger.claim(unit.name, [*figure_paths(folder, drawings, stem=target.name).values(), small])
    write_whole(small, tile(scene[0]))
    saved = save_figures(folder, drawings, stem=target.name)
    return pictures(saved, drawings), Picture(small, f"{unit.name} for {target.name}")


def shown_of(values: np.ndarray, method: Method, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Background and colours: the scan and the map, or a synthetic image and its difference from the scan.

    A synthetic image is on the scale of the network's input, so it is compared with the scan as the network sees it.
    """
    if method.answer != "image":
        return problem.case.image, values
    return values, values - problem.prepared.restore(problem.image.float())
