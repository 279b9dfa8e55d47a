"""Matrices as grids: what is coloured, what cells say, how it is put in words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voxplain.aggregate.cohort import Signed, Summary
from voxplain.report.cohort.figures.grid import LARGE, MIDDLE, Grid, grid
from voxplain.report.cohort.figures.hover import Hovered
from voxplain.report.cohort.figures.shades import Scale, limit_of
from voxplain.report.cohort.page import Game, Lens, Numbers
from voxplain.report.cohort.shown.entries import strongest
from voxplain.report.cohort.shown.orders import Order
from voxplain.report.cohort.shown.words import listed, share
from voxplain.report.study.words import chance, count, number

POINTED = 2500  # cells up to which both views of a table say their numbers when pointed at; of more, the first alone
EFFECTS = {
    "shapley": "the region’s Shapley value among all coalitions",
    "occlusion": "taking the region away",
    "alone": "the region alone, all others taken away",
}
STRONG = 2.0  # |z| from which on a case's entry is coloured


def level_grid(lens: Lens, order: Order) -> Hovered:
    """Mean log₂ density (or share) of every entry."""
    what = lens.ratios.statistic
    dense = lens.density is not None
    values = lens.levels.mean
    caption = _caption(lens, f"Mean {what} over {count(_cases(lens), 'case')}", (
        "0 is as much per voxel as in the whole image, 1 twice, 2 four times, −1 half as much" if dense else
        "nobody counted voxels, so large regions have large shares whatever the network does"
    ))  # fmt: skip
    shown = values[lens.coloured & ~np.isnan(values)]
    scale = Scale(_limit(shown), signed=bool((shown < 0).any()))
    if (shown < -scale.limit).any():
        caption += f" Darkest below 0: {_short(-scale.limit)} and less."
    caption += " Point at a cell for its numbers."
    return _lens_grid(lens, order, values, scale, _short, f"mean {what}", caption)


def share_grid(lens: Lens, order: Order, largest: float = LARGE) -> Hovered:
    """Mean share of every entry, in cells of at most so many inches."""
    values = lens.shares.mean
    off = values[lens.coloured & ~_own(lens)]
    caption = _caption(lens, f"Mean share of the target’s attribution over {count(_cases(lens), 'case')}, in per cent",
                       "large regions have large shares whatever the network does")  # fmt: skip
    scale = Scale(limit_of(off, 0.01), signed=False)
    return _lens_grid(
        lens,
        order,
        values,
        scale,
        _percent,
        "mean share, %",
        caption,
        largest,
        pointed=largest == LARGE and values.size <= POINTED,
    )


def _lens_grid(
    lens: Lens,
    order: Order,
    values: Numbers,
    scale: Scale,
    write: Callable[[float], str],
    name: str,
    caption: str,
    largest: float = LARGE,
    *,
    pointed: bool = True,
) -> Hovered:
    t, r = list(order.targets), list(order.regions)
    strong = strongest(lens)
    told = [f"{e.target} from {e.region}, share {share(e.share)}" for e in strong]
    if any(order.absent):
        what = [count(n, w) for n, w in zip(order.absent, ("target", "region"), strict=True) if n]
        caption += f" Left out: {listed(what)} in no case."
    verb = "that beat the nulls" if lens.tested else "known, untested"
    alt = (
        f"Matrix of {count(len(t), 'target')} and {count(len(r), 'region')}, {name}; "
        f"{count(len(strong), 'entry', 'entries')} on other regions {verb}, the strongest: {listed(told, 8)}."
    )
    return grid(
        Grid(
            targets=tuple(lens.mass.targets[i] for i in t),
            regions=tuple(lens.mass.regions[i] for i in r),
            values=values[np.ix_(t, r)],
            coloured=lens.coloured[np.ix_(t, r)],
            scale=scale,
            write=write,
            scale_name=name,
            grey_name="grey: not more than the nulls expect; hatched: in no case"
            if lens.tested
            else "hatched: in no case",
            caption=caption,
            alt=alt,
            hover=[[_hover(lens, i, j) for j in r] for i in t] if pointed else None,
            row_breaks=order.row_breaks,
            column_breaks=order.column_breaks,
            largest=largest,
        )
    )


def _hover(lens: Lens, t: int, r: int) -> str:
    target, region = lens.mass.targets[t], lens.mass.regions[r]
    n = int(lens.shares.n[t, r])
    if not n:
        return f"{target} ← {region}: in no case"
    told = [f"share {share(float(lens.shares.mean[t, r]))}"]
    if lens.densities is not None and np.isfinite(lens.densities.mean[t, r]):
        told.append(f"density {number(float(lens.densities.mean[t, r]), 2)}")
    if lens.beaten is not None and lens.tested and np.isfinite(lens.beaten.q[t, r]):
        told.append(f"q {chance(float(lens.beaten.q[t, r]))}")
    return f"{target} ← {region}: {', '.join(told)}, n {n}"


def _caption(lens: Lens, first: str, reads: str) -> str:
    if lens.tested and lens.beaten is not None:
        coloured = f"Coloured: more than {listed(lens.beaten.nulls)} expect (q ≤ {lens.beaten.level:g} over the table)."
    else:
        why = (
            "one case"
            if _cases(lens) == 1
            else lens.beaten.note
            if lens.beaten is not None
            else "there is no null"
        )
        coloured = f"Not tested: {why}; all entries are coloured by what was measured."
    order = "Clusters of targets stand together, between lines. " if lens.tree is not None else ""
    return f"{first}: {reads}. {coloured} {order}Framed: the target’s own region."


def game_grid(game: Game, lens: Lens | None, order: Order | None) -> Hovered | None:
    """Mean signed shares of effects; in the lens's order where it has the same names, so that both can be compared."""
    s = game.summary
    if s is None:
        return None
    same = (
        lens is not None
        and order is not None
        and set(lens.mass.targets) == set(s.targets)
        and set(lens.mass.regions) == set(s.regions)
    )
    if same and lens is not None and order is not None:
        t = [s.targets.index(lens.mass.targets[i]) for i in order.targets]
        r = [s.regions.index(lens.mass.regions[i]) for i in order.regions]
    else:
        t, r = list(range(len(s.targets))), list(range(len(s.regions)))
    tested = game.signed is not None and game.signed.possible
    sure = game.signed.mask if game.signed is not None and tested else ~np.isnan(s.mean)
    off = s.mean[np.array([[a != b for b in s.regions] for a in s.targets])] if s.mean.size else s.mean
    which = "of the effects’ sizes within each target"
    level = game.signed.level if game.signed is not None else 0.0
    how = (
        f"Coloured: of one sign over cases (signed ranks, q ≤ {level:g} over the table); the colour tells how large."
        if tested
        else "Too few cases: nothing tested, all coloured."
    )
    what = EFFECTS[game.statistic]
    told = sorted(
        (
            (float(s.mean[i, j]), s.targets[i], s.regions[j])
            for i, j in np.argwhere(sure & ~np.isnan(s.mean)).tolist()
        ),
        key=lambda e: -abs(e[0]),
    )
    return grid(
        Grid(
            targets=tuple(s.targets[i] for i in t),
            regions=tuple(s.regions[j] for j in r),
            values=s.mean[np.ix_(t, r)],
            coloured=sure[np.ix_(t, r)],
            scale=Scale(limit_of(off, 0.01)),
            write=_percent,
            scale_name="mean share of effects, %",
            grey_name="grey: not of one sign; hatched: in no case" if tested else "hatched: in no case",
            caption=f"{game.method}, {game.statistic}: {what}, as signed share {which}; blue speaks for the target. {how}",
            alt=f"Matrix of {game.statistic} of {game.method}; strongest: "
            f"{listed([f'{a} from {b} {share(abs(v))}' + (' against' if v < 0 else '') for v, a, b in told], 8)}.",
            hover=[[_game_hover(s, game.signed, i, j) for j in r] for i in t],
            row_breaks=order.row_breaks if same and order is not None else (),
            column_breaks=order.column_breaks if same and order is not None else (),
            largest=MIDDLE,
        )
    )


def _game_hover(s: Summary, tested: Signed | None, t: int, r: int) -> str:
    name = f"{s.targets[t]} ← {s.regions[r]}"
    if not s.n[t, r]:
        return f"{name}: in no case"
    q = f", q {chance(float(tested.q[t, r]))}" if tested is not None and tested.possible else ""
    return f"{name}: {_percent(float(s.mean[t, r]))} %{q}, n {int(s.n[t, r])}"


def case_grid(lens: Lens, case: str, z: Numbers | None, order: Order) -> Hovered:
    """One case against the cohort: robust z, or its own log₂ densities where there is no distribution."""
    t, r = list(order.targets), list(order.regions)
    c = lens.mass.cases.index(case)
    values = lens.ratios.values[c] if z is None else z
    strong = ~np.isnan(values) if z is None else np.abs(np.nan_to_num(values)) >= STRONG
    scale = Scale(_limit(values) if z is None else max(limit_of(values, 3.0), 3.0))
    what = lens.ratios.statistic if z is None else "robust z of its log-ratios among all cases"
    told = [
        f"{lens.mass.targets[i]} from {lens.mass.regions[j]} {number(float(values[i, j]), 2)}"
        for i, j in sorted(np.argwhere(strong).tolist(), key=lambda e: -abs(values[e[0], e[1]]))
    ]
    reads = "" if z is None else f" Blue: more than is typical, orange: less; grey: |z| below {STRONG:g}."
    return grid(
        Grid(
            targets=tuple(lens.mass.targets[i] for i in t),
            regions=tuple(lens.mass.regions[i] for i in r),
            values=values[np.ix_(t, r)],
            coloured=strong[np.ix_(t, r)],
            scale=scale,
            write=_short,
            scale_name=what,
            grey_name="hatched: not in this case"
            if z is None
            else f"grey: |z| below {STRONG:g}; hatched: not in this case, or too rare",
            caption=f"{case}: {what}.{reads}",
            alt=f"Matrix of {case}, {what}; strongest: {listed(told, 8)}.",
            row_breaks=order.row_breaks,
            column_breaks=order.column_breaks,
        )
    )


def _own(lens: Lens) -> np.ndarray:
    return np.array([[t == r for r in lens.mass.regions] for t in lens.mass.targets], dtype=bool).reshape(
        lens.shares.mean.shape
    )


def _limit(ratios: np.ndarray) -> float:
    """Of the values above 0 where there are any: a share of next to nothing has a logarithm as low as it likes.

    >>> _limit(np.array([4.0, -15.0])), _limit(np.array([-4.0, np.nan]))
    (5.0, 5.0)
    """
    above = ratios[ratios > 0]
    return limit_of(above if len(above) else ratios, 1.0)


def _cases(lens: Lens) -> int:
    return int(lens.mass.answered.any(1).sum())


def _short(value: float) -> str:
    """As few letters as a cell has room for.

    >>> _short(1.234), _short(-0.04), _short(12.3)
    ('1.2', '0', '12')
    """
    text = f"{value:.1f}" if abs(value) < 9.95 else f"{value:.0f}"
    return "0" if float(text) == 0 else text.removesuffix(".0").replace("-", "−")


def _percent(value: float) -> str:
    """Likewise, in per cent.

    >>> _percent(0.1234), _percent(0.004), _percent(-0.25)
    ('12', '.4', '−25')
    """
    percent = 100 * value
    text = f"{percent:.0f}" if abs(percent) >= 0.95 or percent == 0 else f"{percent:.1f}".replace("0.", ".")
    return "0" if text in (".0", "-.0", "-0") else text.replace("-", "−")
