"""Simulators judged by the truth of the disease phantom: what they must show, beside what was asked of them.

    python benchmarks/simulator.py                   # 2-D, 32 × 32: about 260 CPU-seconds
    python benchmarks/simulator.py --dims 3          # 24 × 24 × 24, fewer subjects and runs
    python benchmarks/simulator.py --seed 0          # the seed that defaults were chosen on: not one to report
    python benchmarks/simulator.py --only both       # runs whose name holds this text

Every run trains a simulator for one classifier and asks it about test subjects that neither has seen, at the smallest dose
that reaches the other class's typical logit. "left", "right" and "both" are analytic rules: what the map should show is
known. The published preset explains "both" in the same run.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from scipy import stats
from simulator_cohort import (
    Cohort,
    add_cohort,
    cnn,
    make_cohort,
    marked,
    permuted,
    permuted_cnn,
    random_cnn,
    rule,
    sized,
    told,
)
from simulator_scores import asked, correlation, score
from torch import Tensor

from voxplain.counterfactual.classifier import Decision
from voxplain.phantom.disease import CornerMark
from voxplain.simulator.explain import Explainer
from voxplain.simulator.losses import LossSettings
from voxplain.simulator.networks import PublishedSimulator, Simulator, VelocitySimulator
from voxplain.simulator.networks.velocity import Routing
from voxplain.simulator.training import SimulatorTraining, train_simulator

DIRECTIONS = ("disease", "healthy")
COLUMNS = ("subjects", "flipped", "sign", "unused", "group r", "own r", "clean error", "noisy error", "folded", "dose",
           "log J left", "true left", "log J right", "true right", "corner", "mark", "motion")  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One simulator for one classifier.

    Attributes:
        name: shown.
        classifier: "left", "right", "both", "cnn", "random" or "permuted".
        published: whether it is the published preset.
        routing: how the direction gets into the velocity network.
        seed: added to the chosen one, for the simulator's weights and order.
    """

    name: str
    classifier: str
    published: bool = False
    routing: Routing = "shared"
    seed: int = 0


NULLS = 6  # networks that have learned nothing: each looks somewhere, so chance lies between networks
RUNS_2D = (
    Run("both", "both"), Run("both, another seed", "both", seed=1), Run("both, published", "both", published=True),
    Run("both, FiLM", "both", routing="film"), Run("both, CondConv", "both", routing="condconv"), Run("left", "left"),
    Run("right", "right"), Run("CNN", "cnn"), Run("CNN, a mark planted", "marked"),
    *(Run(f"random CNN {k}", "random", seed=k) for k in range(NULLS)), Run("CNN, permuted labels", "permuted"),
)  # fmt: skip
# A volume costs ten to twenty times a slice: what has been shown of slices about routing and chance is not shown again.
RUNS_3D = (
    Run("both", "both"), Run("both, another seed", "both", seed=1), Run("left", "left"), Run("right", "right"),
    Run("CNN", "cnn"), Run("both, published", "both", published=True),
)  # fmt: skip
RUNS = {2: RUNS_2D, 3: RUNS_3D}


def explainer(
    run: Run, cohort: Cohort, decision: Decision, chosen: argparse.Namespace, out: Path
) -> Explainer:
    """A trained simulator."""
    shape = cohort.samples[0].image.shape[1:]
    seed = chosen.seed + run.seed
    torch.manual_seed(seed)
    made: Simulator = VelocitySimulator(spatial_dims=len(shape), routing=run.routing)
    settings = SimulatorTraining(
        epochs=chosen.epochs, batch=chosen.batch, seed=seed, device="cpu", progress=chosen.verbose
    )
    if run.classifier == "marked":
        # where a mark is missing, no motion can bring it; and it is small, so brightness has the image's own grid
        made = VelocitySimulator(spatial_dims=len(shape), coarser=0, brightness=True)
    if run.published:
        made = PublishedSimulator(size=shape)
        # the released training takes 1500 small steps; a larger rate makes up for fewer of them
        settings = settings.model_copy(update={"losses": LossSettings.published(), "learning_rate": 5e-4})
    trained = train_simulator(made, decision, cohort.samples, cohort.split, settings, out / run.name)
    return Explainer(trained.simulator, decision, trained.typical)


def classifiers(
    cohort: Cohort, chosen: argparse.Namespace, out: Path
) -> dict[str, Callable[[int], tuple[Cohort, Decision]]]:
    """Makers of what is explained, with the cohort that it has learned."""
    seed, shuffled = chosen.seed, permuted(cohort, chosen.seed)

    def planted(_: int) -> tuple[Cohort, Decision]:
        """The mark goes with a faint disease, so that it is what helps."""
        faint = marked(make_cohort(*told(chosen), severity=(0.2, 0.5)), CornerMark(0.05, 0.95))
        return faint, cnn(faint, seed, out / "marked")

    return {
        **{name: lambda _, name=name: (cohort, rule(cohort, name)) for name in ("left", "right", "both")},
        "cnn": lambda _: (cohort, cnn(cohort, seed, out / "cnn")),
        "random": lambda k: (cohort, random_cnn(cohort, 1000 * seed + k)),
        "permuted": lambda _: (shuffled, permuted_cnn(shuffled, seed, out / "permuted")),
        "marked": planted,
    }


Result = tuple[dict[str, float], Tensor]


def measure(chosen: argparse.Namespace) -> Iterator[tuple[Run, str, Result]]:
    """Every run in both directions."""
    cohort = make_cohort(*told(chosen))
    with tempfile.TemporaryDirectory() as folder:
        makers = classifiers(cohort, chosen, Path(folder))
        for run in RUNS[chosen.dims]:
            if chosen.only not in run.name:
                continue
            start = time.perf_counter()
            learned, decision = makers[run.classifier](run.seed)
            found = explainer(run, learned, decision, chosen, Path(folder))
            print(f"{run.name}: {time.perf_counter() - start:.0f} s", flush=True)
            for towards in DIRECTIONS:
                yield (
                    run,
                    towards,
                    score(found, asked(learned, found, towards), run.classifier, learned.mark),
                )


def table(results: dict[tuple[str, str], Result]) -> Table:
    """Every figure."""
    shown = Table("explained", "towards", *COLUMNS)
    for (name, towards), (figures, _) in results.items():
        shown.add_row(name, towards, *(_cell(figures[c]) for c in COLUMNS))
    return shown


def goals(results: dict[tuple[str, str], Result]) -> Table:
    """What was asked for, beside the worst of both directions."""

    def worst(names: str, column: str, of: Callable[[list[float]], float] = min) -> float:
        values = [
            f[column] for (name, _), (f, _) in results.items() if name in names.split("|") and column in f
        ]
        values = [v for v in values if not math.isnan(v)]
        return of(values) if values else float("nan")

    rules = "both|left|right"
    seeds = [
        correlation(results["both", t][1], results["both, another seed", t][1])
        for t in DIRECTIONS
        if ("both", t) in results and ("both, another seed", t) in results
    ]
    each = [
        [f["group r"] for (n, _), (f, _) in results.items() if n == f"random CNN {k}"] for k in range(NULLS)
    ]
    nulls = [statistics.mean(values) for values in each if values]
    rows = [
        ("flipped at the calibrated dose", "at least 0.95", worst(f"{rules}|CNN", "flipped")),
        ("right sign in the used regions, share of subjects", "at least 0.95", worst(rules, "sign")),
        ("unused region / used region", "at most 0.15", worst(rules, "unused", max)),
        ("group map's correlation with the truth", "at least 0.80", worst(rules, "group r")),
        ("the same of the published preset", "about 0.6 to 0.7", worst("both, published", "group r")),
        ("paired error / untouched image's, without noise", "below 1", worst("both", "clean error", max)),
        ("the same with noise", "below 1", worst("both", "noisy error", max)),
        ("the same without noise, of the CNN", "", worst("CNN", "clean error", max)),
        ("largest share of folded voxels (%)", "0", worst(f"{rules}|CNN", "folded", max)),
        ("group maps of two seeds, correlation", "at least 0.9", min(seeds, default=float("nan"))),
        *_chance(nulls),
        (
            "permuted labels, |r|",
            "chance",
            worst("CNN, permuted labels", "group r", lambda v: max(map(abs, v))),
        ),
        ("share of the logit that the corner carries, CNN", "0", worst("CNN", "corner", max)),
        (
            "the same with a mark planted there",
            f"the mark's own: {worst('CNN, a mark planted', 'mark'):.2f}",
            worst("CNN, a mark planted", "corner"),
        ),
    ]
    shown = Table("must show (the worst of both directions)", "asked", "found")
    for what, wanted, found in rows:
        shown.add_row(what, wanted, _cell(found))
    return shown


def _chance(nulls: list[float]) -> list[tuple[str, str, float]]:
    """The mean over random networks, beside how far from 0 it may lie by chance."""
    if len(nulls) < 2:
        return []
    reach = stats.t.ppf(0.975, len(nulls) - 1) * statistics.stdev(nulls) / len(nulls) ** 0.5
    span = f"r from {min(nulls):.2f} to {max(nulls):.2f}"
    return [(f"{len(nulls)} random classifiers, {span}, mean", f"0, ± {reach:.2f}", statistics.mean(nulls))]


def _cell(value: float) -> str:
    if math.isnan(value):
        return "–"
    return (
        f"{value:.0f}" if value == int(value) and abs(value) >= 10 else f"{value:.3f}".rstrip("0").rstrip(".")
    )


def main() -> None:
    """Train, judge and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_cohort(parser)
    parser.add_argument("--only", default="", help="runs whose name holds this text")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--verbose", action="store_true", help="a line per epoch")
    chosen = sized(parser.parse_args())
    torch.set_num_threads(chosen.threads)
    start, cpu = time.perf_counter(), time.process_time()
    results = {(run.name, towards): found for run, towards, found in measure(chosen)}
    console = Console(width=230)
    console.print(table(results))
    console.print(goals(results))
    print(f"{time.perf_counter() - start:.0f} s, {time.process_time() - cpu:.0f} CPU-seconds")


if __name__ == "__main__":
    main()
