"""One image, the evidence for each class, and the mask: side by side at one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxplain.report import Drawing, Plane, Scene, scenes
from voxplain.report.canvas import add_bar, canvas, legend_lines, write_head, write_legend
from voxplain.report.caption import legend
from voxplain.report.panel import panel_size, set_title, show_slice

if TYPE_CHECKING:
    from voxplain.inherent.maps import Bools, Floats
    from voxplain.inherent.running.case_files import Grid

_WIDTH = 10.5  # inches


def case_figure(
    image: Floats,
    evidence: Floats,
    classes: Sequence[str],
    grid: Grid,
    *,
    mask: Bools | None,
    truth: Bools | None,
    title: str,
) -> Drawing:
    """The image, each class's evidence over it, and the mask with the truth where it is known.

    Of a volume the slice that holds most of what mask and truth share is shown; or else most of the truth, of the mask, or
    the strongest evidence.

    Args:
        image: (C, *S); the first channel is shown.
        evidence: (K, *S) in units of the logit; all classes share one colour range.
        classes: K names.
        grid: where the image lies.
        mask, truth: (*S), outlined; None where there is none.
        title: above the figure.
    """
    drawn = _scenes(image, evidence, grid, mask, truth, title)
    plane, index = _plane(drawn)
    whole = drawn[0].view.ndim == 3 and grid.squeezed is None
    # what lies in other slices is neither drawn nor in the legend, but told
    last = replace(
        drawn[0],
        prediction=_within(drawn[0].prediction, plane, index),
        truth=_within(drawn[0].truth, plane, index),
    )
    figure, axes = canvas(
        [[panel_size(drawn[0], plane)] * (len(drawn) + 2)],
        _WIDTH,
        1,
        legend_lines(legend(last), _WIDTH),
    )
    write_head(figure, [title])
    write_legend(figure, legend(last))
    show_slice(axes[0][0], drawn[0], plane, index, coloured=False, outlined=False)
    set_title(axes[0][0], "image")
    for panel, scene, name in zip(axes[0][1:-1], drawn, classes, strict=True):
        show_slice(panel, scene, plane, index, outlined=False, letters=False)
        set_title(panel, f"evidence: {name}")
    show_slice(axes[0][-1], last, plane, index, coloured=False, letters=False)
    set_title(axes[0][-1], _outlines_told(drawn[0], last))
    add_bar(figure, axes[0][0], drawn[0])
    where = f" {_place(drawn[0], plane, index)}" if whole else ""
    caption = f"Red to yellow speaks for the class, blue to cyan against it, in units of the logit.{where}"
    return Drawing(figure, caption, f"{title}: image, evidence per class, mask.")


def _within(labels: NDArray[Any] | None, plane: Plane, index: int) -> NDArray[Any] | None:
    """Labels that are there in a slice; None where none is."""
    return labels if labels is not None and (plane.cut(labels, index) > 0).any() else None


def _outlines_told(whole: Scene, last: Scene) -> str:
    """The title of the panel of outlines: what is in it, and what is not."""
    told: list[str] = []
    for name, labels, here in (
        ("mask", whole.prediction, last.prediction),
        ("truth", whole.truth, last.truth),
    ):
        if labels is not None and here is None:
            told.append(f"no {name} in this slice" if labels.any() else f"{name} is empty")
        elif labels is not None:
            told.append(name)
    return "mask and truth" if told == ["mask", "truth"] else "; ".join(told) or "no mask"


def _place(scene: Scene, plane: Plane, index: int) -> str:
    """Which slice of the files it is, by their own axis and index, and where mask and truth are if not in it."""
    others = tuple({0, 1, 2} - {plane.axis})
    axis, letter = scene.view.order[plane.axis], "ijk"[scene.view.order[plane.axis]]

    def stored(shown: int) -> int:
        return scene.view.original([shown if a == plane.axis else 0 for a in range(3)])[axis]

    told = [f"Slice {letter} = {stored(index)} of the files ({plane.name})."]
    for name, labels in (("truth", scene.truth), ("mask", scene.prediction)):
        if labels is not None and labels.any() and _within(labels, plane, index) is None:
            there = sorted(stored(int(at)) for at in np.flatnonzero((labels > 0).any(axis=others)))
            told.append(f"No {name} lies in it: {name} in {letter} = {_runs(there)}.")
    return " ".join(told)


def _runs(numbers: Sequence[int]) -> str:
    """Ascending numbers, with those that follow each other as one.

    >>> _runs([2, 6, 7, 8])
    '2, 6–8'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _scenes(
    image: Floats, evidence: Floats, grid: Grid, mask: Bools | None, truth: Bools | None, title: str
) -> tuple[Scene, ...]:
    def placed(array: NDArray[Any]) -> NDArray[Any]:
        return array.reshape(
            *array.shape[: array.ndim - (len(grid.shape) - (grid.squeezed is not None))], *grid.shape
        )

    outlined = None if mask is None else placed(mask).astype(np.int32)
    known = None if truth is None else placed(truth).astype(np.int32)
    flat = evidence if evidence.any() else np.full_like(evidence, 1e-12)  # a map of zeros has no colour range
    return scenes(
        placed(image[:1]),
        placed(flat),
        geometry=grid.geometry,
        prediction=outlined,
        truth=known,
        names={1: "mask"},
        outlined=[1] if outlined is not None or known is not None else None,
        channels="each",
        unit="evidence",
        title=title,
        spatial_dims=len(grid.shape),
    )


def _plane(drawn: tuple[Scene, ...]) -> tuple[Plane, int]:
    scene = drawn[0]
    planes = [
        p for p in scene.view.planes() if min(scene.view.shape[p.rows], scene.view.shape[p.columns]) > 1
    ]
    plane = planes[0]
    others = tuple({0, 1, 2} - {plane.axis})
    mask, truth = scene.prediction, scene.truth
    both = None if mask is None or truth is None else (mask > 0) & (truth > 0)
    for labels in (both, truth, mask):
        if labels is not None and labels.any():
            return plane, int((labels > 0).sum(axis=others).argmax())
    return plane, int(max(drawn, key=lambda s: float(np.abs(s.values).max())).strongest[plane.axis])
