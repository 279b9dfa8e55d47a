"""Counterfactuals judged by the truth of two phantoms, beside saliency maps and what knows nothing.

    python benchmarks/counterfactual.py                        # principal components and an autoencoder, 32 × 32
    python benchmarks/counterfactual.py --only "hard, CNN"     # runs whose name holds this text
    python benchmarks/counterfactual.py --stylegan-easy made/stylegan    # results of voxplain counterfactual train
    python benchmarks/counterfactual.py --steps 0              # train no autoencoder

Every run explains one classifier by one direction in one family of images, and is kept in ``--out`` as one JSON file that is
not made again with the same options. "easy" is the phantom whose disease is one smooth flow, "hard" the one of two kinds
under strong nuisance. Rules are analytic: what they use is known. The truth of a subject is its own image with the disease,
or without: same anatomy, same noise. Towards the disease, nothing in a hard healthy image says where lesions would come, so
that its own r has a ceiling; towards healthy there is one right answer.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import yaml
from counterfactual_cohort import PHANTOMS, World, training_images
from counterfactual_scores import decided, explained, judged
from rich.console import Console
from rich.table import Table
from simulator_cohort import Cohort
from simulator_saliency import saliency

from voxplain.attribution import GradCam, Gradient, InputXGradient, IntegratedGradients, Method, Occlusion
from voxplain.case.atomic import write_whole
from voxplain.counterfactual.classifier import Decision
from voxplain.counterfactual.direction import (
    Direction,
    Queries,
    ask,
    label_direction,
    latent_gradient,
    local_direction,
    ridge_direction,
)
from voxplain.counterfactual.direction.direction import cosine, random_direction
from voxplain.counterfactual.explain import LatentExplainer, Way, typical_scores
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.running.families import family_of
from voxplain.counterfactual.running.families.family import Learned
from voxplain.counterfactual.running.judging import judged as judged_family
from voxplain.counterfactual.settings.config import CounterfactualSettings, GeneratorSettings
from voxplain.counterfactual.training.settings import StyleTraining
from voxplain.errors import InputError
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.settings.config import DataSettings
from voxplain.model import Preparation

DIRECTIONS = ("disease", "healthy")
NULLS = 5  # random directions, and networks that have learned nothing
KINDS = ("ridge", "labels", "local", "gradient")
METHODS: dict[str, Method] = {
    "gradient": Gradient(), "gradient × input": InputXGradient(), "integrated gradients": IntegratedGradients(nodes=24),
    "occlusion": Occlusion(size=3, stride=1), "Grad-CAM": GradCam(),
}  # fmt: skip
_REFUSED = 0.5  # R² below which the command gives no explanation


@dataclass(frozen=True)
class Run:
    """One classifier, explained in one way.

    Attributes:
        phantom: of PHANTOMS.
        classifier: of the world, see `World.decision`.
        family: "pca", "autoencoder", "stylegan" or "saliency".
        kind: of KINDS, "random", "permuted logits"; of saliency a name of METHODS.
    """

    phantom: str
    classifier: str
    family: str
    kind: str

    @property
    def name(self) -> str:
        """Shown."""
        return f"{self.phantom}, {self.classifier}, {self.family}, {self.kind}"


def runs(chosen: argparse.Namespace) -> Iterator[Run]:
    """All of them, what must be trained last."""
    for phantom in PHANTOMS:
        rules = ("rule", "left rule") if phantom == "easy" else ("rule",)
        for who in (*rules, "CNN", "marked CNN"):
            yield from (Run(phantom, who, "pca", kind) for kind in KINDS)
            yield from (
                Run(phantom, who, "saliency", name)
                for name in METHODS
                if name != "Grad-CAM" or "CNN" in who  # rules have no layers
            )
    for phantom in PHANTOMS:
        yield from (Run(phantom, "CNN", "pca", kind) for kind in ("random", "permuted logits"))
        yield from (Run(phantom, f"random CNN {k}", "pca", "ridge") for k in range(NULLS))
        yield Run(phantom, "permuted CNN", "pca", "ridge")
    for phantom in PHANTOMS:
        families = {"autoencoder": ("ridge", "gradient")} if chosen.steps else {}
        families |= {"stylegan": KINDS} if chosen.stylegan[phantom] else {}
        for family, kinds in families.items():
            yield from (Run(phantom, who, family, kind) for who in ("rule", "CNN") for kind in kinds)


class Bench:
    """What runs share: worlds, families and answers, each made when it is first asked for."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.chosen = chosen
        told = (chosen.edge, chosen.subjects, 2 * chosen.test + 40, chosen.seed, chosen.out / "trainings")
        self.worlds = {name: World(name, *told) for name in PHANTOMS}
        self._families: dict[tuple[str, str, bool], tuple[Generator, float]] = {}

    def __call__(self, run: Run) -> dict[str, dict[str, float]]:
        """Figures of a run by direction."""
        world = self.worlds[run.phantom]
        decision = world.decision(run.classifier)
        # a null has no truth of its own: it is held against the disease's
        asked = {d: world.asked(run.classifier, d, self.chosen.test) for d in DIRECTIONS}
        if run.family == "saliency":
            return {d: self._salient(run, decision, who) for d, who in asked.items() if len(who.images)}
        generator, kid = self._family(run, world.learned(run.classifier))
        images = training_images(world.learned(run.classifier))
        start = time.perf_counter()
        below, above = typical_scores(decided(decision, images))
        way, ridge = self._way(run, generator, decision, images)
        nulls = [
            rising(random_direction(generator.statistics, seed=n + 1), ridge, generator) for n in range(NULLS)
        ]
        explainer = LatentExplainer(generator, decision, way)
        found = {}
        for towards, who in asked.items():
            changes, figures = explained(explainer, who, above if who.sign > 0 else below, nulls)
            found[towards] = {**figures, **judged(changes, who.effect), "r2": ridge.facts["r2"], "kid": kid}
            found[towards]["subjects"] = float(len(who.images))
        seconds = time.perf_counter() - start
        return {d: {**f, "seconds": seconds} for d, f in found.items()}

    def _way(
        self, run: Run, generator: Generator, decision: Decision, images: torch.Tensor
    ) -> tuple[Way, Direction]:
        """The way of a run, and ridge's, whatever the run's is."""
        statistics, seed = generator.statistics, self.chosen.seed
        codes = torch.cat(
            [
                generator.sample(self.chosen.samples, seed=seed),
                generator.encode(images[: self.chosen.samples // 2]),
            ]
        )
        queries = ask(generator, decision, codes)
        if run.kind == "permuted logits":
            order = torch.randperm(len(codes), generator=torch.Generator().manual_seed(seed))
            queries = Queries(codes, queries.scores[order])
        ridge = ridge_direction(queries, statistics, least_r2=-float("inf"), draws=0)
        ways: dict[str, Callable[[], Way]] = {
            "labels": lambda: label_direction(queries, statistics),
            "local": lambda: lambda code: local_direction(queries, statistics, code),
            "gradient": lambda: lambda code: latent_gradient(generator, decision, code),
            "random": lambda: rising(random_direction(statistics, seed=99), ridge, generator),
        }
        return ways.get(run.kind, lambda: ridge)(), ridge

    def _salient(self, run: Run, decision: Decision, who: object) -> dict[str, float]:
        start = time.perf_counter()
        maps = saliency(METHODS[run.kind], decision, who)  # type: ignore[arg-type]
        changes = torch.from_numpy(maps.astype(np.float32))[:, None]
        # of the maps, only the gradient is a direction for brightness
        found = judged(changes, who.effect, signed=run.kind == "gradient")  # type: ignore[attr-defined]
        found.pop("error", None)
        return {**found, "seconds": time.perf_counter() - start, "subjects": float(len(maps))}

    def _family(self, run: Run, cohort: Cohort) -> tuple[Generator, float]:
        """The generator of a run's images, and the KID of its samples against held-out images."""
        key = (run.phantom, run.family, cohort.mark is not None)
        if key not in self._families:
            held = torch.from_numpy(np.stack([cohort.samples[i].image for i in cohort.split.validation]))
            generator = self._made(run, cohort)
            self._families[key] = generator, judged_family(generator, held)["kid"]
        return self._families[key]

    def _made(self, run: Run, cohort: Cohort) -> Generator:
        shape = tuple(cohort.samples[0].image.shape)
        if run.family == "stylegan":
            place = self.chosen.stylegan[run.phantom]
            told = yaml.safe_load((place / "settings.yaml").read_text(encoding="utf-8"))["generator"]
            asked = GeneratorSettings(family=told["family"], parameters=told["parameters"])
            return family_of(asked).load(Path(told.get("folder") or place / "generator"), shape)
        asked = GeneratorSettings(family=run.family)  # type: ignore[arg-type]
        steps = self.chosen.steps
        training = StyleTraining(
            steps=max(steps, 1), batch=16, round=max(steps // 4, 1), device="cpu", progress=False
        )
        settings = CounterfactualSettings(
            data=DataSettings(source=Path(__file__)), generator=asked, training=training
        )
        family = family_of(asked)
        folder = self.chosen.out / "trainings" / f"{run.phantom} {run.family} {self.chosen.steps}"
        folder = folder.with_name(folder.name + " marked" * (cohort.mark is not None))
        images = Images(cohort.samples, Preparation(), 1.0)
        family.train(
            Learned(
                settings,
                images,
                cohort.split.train,
                cohort.split.validation,
                shape,
                {"bench": run.phantom},
                folder,
            )
        )
        return family.load(folder, shape)


def rising(null: Direction, ridge: Direction, generator: Generator) -> Direction:
    """A random direction in the sense in which logits rise, or half of them could not flip anything."""
    return null if cosine(null, ridge, generator.statistics) >= 0 else replace(null, vector=-null.vector)


def table(found: dict[Run, dict[str, dict[str, float]]]) -> Table:
    """Counterfactuals, means over both directions; each subject's own r by direction."""
    shown = Table("phantom", "classifier", "family", "direction", "flipped", "random", "group r", "own r, to disease",
                  "own r, to healthy", "inside", "error", "R²", "KID", "withheld", "s")  # fmt: skip
    for run, by in found.items():
        if run.family != "saliency" and not run.classifier.startswith("random CNN"):
            shown.add_row(run.phantom, run.classifier, run.family, run.kind, *_cells(by))
    for phantom in PHANTOMS:
        each = [by for run, by in found.items() if run.phantom == phantom and "random CNN" in run.classifier]
        if each:
            groups = [_mean(by, "group r") for by in each]
            joined = {
                d: {k: float(np.mean([by[d][k] for by in each])) for k in each[0][d]} for d in DIRECTIONS
            }
            told = f"ridge; group r from {min(groups):.2f} to {max(groups):.2f}"
            shown.add_row(phantom, f"{len(each)} random CNNs", "pca", told, *_cells(joined))
    return shown


def where(found: dict[Run, dict[str, dict[str, float]]]) -> Table:
    """Where maps look, of all alike; means over both directions."""
    shown = Table(
        "phantom",
        "classifier",
        "map",
        "group r of size",
        "own r of size",
        "inside",
        "by chance",
        "own r, signed",
        "s",
    )
    columns = ("group r of size", "own r of size", "inside", "by chance", "own r")
    for run, by in sorted(found.items(), key=lambda item: (item[0].phantom, item[0].classifier)):
        if run.classifier in ("rule", "left rule", "CNN", "marked CNN") and "permuted" not in run.kind:
            name = run.kind if run.family == "saliency" else f"{run.family}, {run.kind}"
            cells = [_cell(_mean(by, column)) for column in columns]
            shown.add_row(run.phantom, run.classifier, name, *cells, f"{_mean(by, 'seconds'):.1f}")
    return shown


def _cells(by: dict[str, dict[str, float]]) -> list[str]:
    own = [_cell(by[d]["own r"]) if d in by else "–" for d in DIRECTIONS]
    r2 = _mean(by, "r2")
    return [
        *(_cell(_mean(by, c)) for c in ("flipped", "random flips", "group r")), *own,
        *(_cell(_mean(by, c)) for c in ("inside", "error")), _cell(r2) + (" refused" if r2 < _REFUSED else ""),
        *(_cell(_mean(by, c)) for c in ("kid", "withheld")), f"{_mean(by, 'seconds'):.0f}",
    ]  # fmt: skip


def _mean(by: dict[str, dict[str, float]], column: str) -> float:
    values = [figures[column] for figures in by.values() if column in figures]
    return float(np.mean(values)) if values else float("nan")


def _cell(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"


def main() -> None:
    """Do what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/counterfactual"))
    parser.add_argument("--only", default="", help="runs whose name holds this text")
    parser.add_argument("--edge", type=int, default=32)
    parser.add_argument("--subjects", type=int, default=800, help="to learn from")
    parser.add_argument("--test", type=int, default=16, help="asked about in each direction, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--samples", type=int, default=1000, help="of a family that classifiers are asked about"
    )
    parser.add_argument("--steps", type=int, default=600, help="of an autoencoder; 0: none is trained")
    for name in PHANTOMS:
        parser.add_argument(
            f"--stylegan-{name}", type=Path, help="results of a StyleGAN that has learned this phantom"
        )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    chosen.stylegan = {name: getattr(chosen, f"stylegan_{name}") for name in PHANTOMS}
    torch.set_num_threads(chosen.threads)
    bench, found = Bench(chosen), {}
    options = {k: getattr(chosen, k) for k in ("edge", "subjects", "test", "seed", "samples", "steps")}
    start, cpu = time.perf_counter(), time.process_time()
    for run in runs(chosen):
        path = chosen.out / "runs" / f"{run.name}.json"
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if kept.get("options") != options:
            if chosen.only not in run.name:
                continue
            try:
                kept = {"run": asdict(run), "options": options, "found": bench(run)}
            except InputError as error:
                print(f"{run.name}: {error}", flush=True)
                continue
            write_whole(path, json.dumps(kept, indent=1, ensure_ascii=False).encode())
            print(f"{run.name}: done", flush=True)
        found[run] = kept["found"]
    console = Console(width=200)
    console.print(table(found))
    console.print(where(found))
    print(f"{time.perf_counter() - start:.0f} s, {time.process_time() - cpu:.0f} CPU-seconds")


if __name__ == "__main__":
    main()
