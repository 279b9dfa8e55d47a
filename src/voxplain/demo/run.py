"""The demo: train a network on phantoms, explain it and a real brain's, and show both on one page."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.demo.subjects import Progress, Subject, brain_subject, vessel_subject
from voxplain.errors import InputError
from voxplain.report.page import LEVEL_WORDS

if TYPE_CHECKING:
    import numpy as np

    from voxplain.attribution import Attribution
    from voxplain.engine import Problem
    from voxplain.report import MethodCard, Section
    from voxplain.report.viewer import ShownMap


def demo(out: Path, seed: int = 0, progress: Progress | None = None) -> Path:
    """Make phantoms, train, explain, draw; print the page's path last.

    Args:
        out: folder for the page, the figures and the maps; made where missing.
        seed: of the phantoms, the training and the methods.
        progress: called with (what, done, of how many).

    Returns:
        The path of the HTML page.

    Raises:
        VoxplainError: the folder cannot be written to.
    """
    from voxplain.demo.judged import judge
    from voxplain.demo.page import page_of
    from voxplain.report import write_page

    started = time.perf_counter()
    try:
        (out / "maps").mkdir(parents=True, exist_ok=True)  # now: an error after the work would waste it
    except OSError as problem:
        raise InputError(
            f"{out}: cannot be written ({problem.strerror}); choose a folder with room and access"
        ) from problem
    vessels = vessel_subject(seed, progress)
    _say("trained a vessel network", started)
    parts = []
    for subject in (vessels, brain_subject()):
        parts.append(_explain(subject, out, seed, progress))
        _say(f"explained the {subject.title}: {parts[-1].measured}", started)
    judged = judge(parts[0])
    _say(f"tested the maps of the {vessels.title}", started)
    page = write_page(out / "demo.html", page_of(parts, judged, seed))
    _say("done", started)
    print(page.resolve())
    return page


def _say(what: str, started: float) -> None:
    print(f"[{time.perf_counter() - started:5.1f} s] {what}", flush=True)


class Part:
    """One subject, explained."""

    def __init__(self, subject: Subject, problem: Problem) -> None:
        self.subject, self.problem = subject, problem
        self.found = problem.prepared.restore(problem.prediction.labels[None].float(), mode="nearest")[0]
        self.sections: list[Section] = []
        self.cards: list[MethodCard] = []
        self.maps: dict[str, list[ShownMap]] = {}
        self.attributions: dict[str, Attribution] = {}

    def called(self, name: str) -> str:
        """A name of this part on the page, which has two."""
        return f"{name} ({self.subject.title})"

    @property
    def measured(self) -> str:
        """Dice coefficient of each class against the truth."""
        names = self.subject.model.classes
        return "Dice " + ", ".join(f"{names[k]} {v:.2f}" for k, v in dice(self.found, self.truth).items())

    @property
    def truth(self) -> np.ndarray:
        """The label (*spatial)."""
        assert self.subject.case.label is not None
        return self.subject.case.label


def dice(found: np.ndarray, truth: np.ndarray) -> dict[int, float]:
    """Dice coefficient 2|A ∩ B| / (|A| + |B|) per label of the truth, without 0."""
    import numpy as np

    return {
        int(k): float(2 * np.sum((found == k) & (truth == k)) / (np.sum(found == k) + np.sum(truth == k)))
        for k in np.unique(truth)
        if k != 0
    }


def _explain(subject: Subject, out: Path, seed: int, progress: Progress | None) -> Part:
    from voxplain.engine import Problem
    from voxplain.report import MethodCard

    problem = Problem(subject.model, subject.case, subject.targets, seed=seed, progress=progress)
    part = Part(subject, problem)
    for method in subject.methods:
        attribution = method.attribute(problem)
        name = part.called(method.title)
        part.attributions[name] = attribution
        part.cards.append(
            MethodCard(name, attribution.parameters, method.reads, method.source, method.name, method.title)
        )
        part.sections += _sections(part, attribution, method.title, out)
    return part


def _sections(part: Part, attribution: Attribution, title: str, out: Path) -> list[Section]:
    """One section per target, with figures where there is a map; maps are written beside the page."""
    from voxplain.case import write_array
    from voxplain.report import Section, draw_all, findings, pictures, save_figures, scenes, slug

    case, model = part.subject.case, part.subject.model
    made = []
    for index, answer in enumerate(attribution.answers):
        shown, notes = {}, [answer.note] if answer.note else []
        if answer.status == "ok":
            values = attribution.map(index)
            stem = slug(f"{case.id}-{attribution.method}-{answer.target.name}")
            if case.geometry is not None:
                write_array(out / "maps" / f"{stem}.nii.gz", values, case.geometry)
            drawings = draw_all(
                scenes(
                    case.image,
                    values,
                    geometry=case.geometry,
                    prediction=part.found.astype("int32"),
                    truth=part.truth,
                    names=model.classes,
                    outlined=[answer.target.class_index],
                    title=f"{title} for {answer.target.name} · {part.subject.title}",
                    unit=attribution.unit,
                )
            )
            paths = save_figures(out / "figures", drawings, stem=stem)
            shown = dict(zip(paths, pictures(paths, drawings), strict=True))
            part.maps.setdefault(answer.target.name, []).append(_shown_map(title, values, attribution, index))
            notes.append(_where(values, part.truth == answer.target.class_index, answer.target.class_name))
        row = {k: v for k, v in attribution.rows()[index].items() if k in _COLUMNS}
        made.append(
            Section(
                method=part.called(title),
                target=part.called(answer.target.name),
                row=row,
                findings=findings(answer.status, answer.checks),
                pictures=tuple(shown.values()),
                notes=tuple(notes),
            )
        )
    return made


def _shown_map(title: str, values: np.ndarray, attribution: Attribution, index: int) -> ShownMap:
    from voxplain.report import Section, findings
    from voxplain.report.viewer import ShownMap

    answer = attribution.answers[index]
    level = Section(title, answer.target.name, findings=findings(answer.status, answer.checks)).level
    return ShownMap(title, values.sum(axis=0), attribution.unit, level, LEVEL_WORDS[level])


_COLUMNS = ("score", "status", "forward_passes", "backward_passes", "seconds", "peak_memory_mb")


def _where(values: np.ndarray, truth: np.ndarray, name: str) -> str:
    """How much of a map lies in the truth, beside how much of the image does."""
    import numpy as np

    strength = np.abs(values).sum(axis=0)
    share = float(strength[truth].sum() / strength.sum())
    return f"{share:.0%} of the map's magnitude lies in the true {name}, {truth.mean():.1%} of the image."
