"""Inherent maps against post-hoc maps, on one split, by one protocol: the table of networks × pools × forms × seeds.

    python examples/tumours/make.py
    python benchmarks/inherent.py                    # all that is missing, then the table
    python benchmarks/inherent.py --only gp_unet     # runs whose name holds this text; any number of processes by turns
    python benchmarks/inherent.py --epochs 0         # the table of what is there

Every run trains a network on image labels, predicts validation and test, fits each threshold on the validation part and
scores the test part. Rows named ``before`` pool before the read-out, as published. ResNet-18 is asked by post-hoc methods:
their own map and its contrast to healthy are both scored and the better PxAP is kept, in their favour. A run is kept in
``--out`` as one JSON file and not done again.

The small setting, on a laptop's two cores; the large one, on a GPU:

    python examples/tumours/make.py --patients 2400 --shape 112 128 --out large
    python benchmarks/inherent.py --table large/tumours.csv --out large/inherent --width 32 --levels 4 --epochs 100 \
        --device cuda
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from monai.networks.nets import ResNet
from rich.console import Console
from rich.table import Table
from torch import nn

from voxplain.attribution import (
    GradCam,
    GradCamPlusPlus,
    HiResCam,
    IntegratedGradients,
    LayerCam,
    Method,
    Occlusion,
)
from voxplain.case.atomic import write_whole
from voxplain.inherent import (
    Asked,
    AugmentSettings,
    ClassScore,
    ImageIntensity,
    Maps,
    Protocol,
    Samples,
    Split,
    TrainingSettings,
    classification,
    compare,
    given_split,
    make_network,
    maps_by,
    predict,
    read_csv,
    train,
)
from voxplain.inherent.data import Reader, mask_on
from voxplain.inherent.networks.start import start_neutral
from voxplain.inherent.score_map import ScoreMap
from voxplain.inherent.threshold import HealthyQuantile, HeldOutMasks, Oracle, Otsu
from voxplain.model import Preparation

TUMOURS = Path(__file__).resolve().parent.parent / "examples" / "tumours" / "made"
PREPARATION = Preparation(scale="zscore")
NETWORKS = ("gp_unet", "gp_shuffle_unet", "gp_recon_resnet")
POOLS = ("topk:share=0.03", "mean", "max", "lse", "softmax", "noisy_or")
POST_HOC: dict[str, Method] = {
    "Grad-CAM": GradCam(), "Grad-CAM++": GradCamPlusPlus(), "HiResCAM": HiResCam(), "Layer-CAM": LayerCam(),
    "Grad-CAM, finer": GradCam(layer="layer2"), "occlusion": Occlusion(size=8, stride=4),
    "integrated gradients": IntegratedGradients(nodes=16),
}  # fmt: skip
# the highest at which each learns every class of seed 0's validation part
RATES = {"gp_unet": 0.004, "gp_shuffle_unet": 0.001, "gp_recon_resnet": 0.002, "resnet18": 0.004}
COLUMNS = ("f1", "pxap", "otsu", "healthy", "masks", "oracle", "false masks")


@dataclass(frozen=True)
class Run:
    """One network to train.

    Attributes:
        network: a name of NETWORKS, or "resnet18".
        pool: of the evidence, "" of a ResNet.
        form: "exact" or "before".
        seed: of weights, order and augmentation.
    """

    network: str
    pool: str
    form: str
    seed: int

    @property
    def name(self) -> str:
        """Of its files."""
        return "-".join(
            filter(None, (self.network, self.pool.replace(":", "_"), self.form, f"seed{self.seed}"))
        )


def runs(seeds: int) -> Iterator[Run]:
    """All of them, what tells most first: top-k and published form of each network, the ResNet, then the other pools."""
    every = range(seeds)
    for seed in every:
        yield Run("gp_unet", POOLS[0], "exact", seed)
        yield Run("gp_unet", "max", "before", seed)
        yield Run("resnet18", "", "", seed)
    yield from (Run("gp_unet", pool, "exact", seed) for seed in every for pool in POOLS[1:])
    for seed, network in itertools.product(every, NETWORKS[1:]):
        yield Run(network, POOLS[0], "exact", seed)
        yield Run(network, "max", "before", seed)
    others = itertools.product(every, NETWORKS[1:], POOLS[1:])
    yield from (Run(network, pool, "exact", seed) for seed, network, pool in others)


def make(run: Run, classes: int, size: tuple[int, ...], width: int, levels: int) -> nn.Module:
    """A run's network for images of a size; the U-Nets have about the same number of weights."""
    torch.manual_seed(run.seed)
    if run.network == "resnet18":
        # without the first pooling: its last map is 16 times coarser than these small images instead of 32
        widths = [width * 2**n for n in range(4)]
        return ResNet(
            "basic", [2, 2, 2, 2], widths, spatial_dims=2, n_input_channels=1, conv1_t_size=3, conv1_t_stride=2,
            no_max_pool=True, num_classes=classes,
        )  # fmt: skip
    sizes: dict[str, dict[str, object]] = {
        "gp_unet": {"widths": [width * 2**n for n in range(levels)], "norm": "batch"},
        "gp_shuffle_unet": {"width": width // 2, "levels": levels - 1, "norm": "batch"},
        # as published it has instance norm, with which its evidence lies beside the tumour: see docs/inherent.md
        "gp_recon_resnet": {"width": width, "blocks": 2, "norm": "batch"},
    }
    form = "before" if run.form == "before" else "after"
    network = make_network(run.network, 1, classes, pool=run.pool, pool_at=form, **sizes[run.network])
    start_neutral(network, (1, *size))
    return network


def measure(
    run: Run, samples: Samples, split: Split, chosen: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Train, predict and score: numbers by the name of the map."""
    size = tuple(Reader().case(samples[0]).spatial_shape)
    network = make(run, len(samples.classes), size, chosen.width, chosen.levels)
    settings = TrainingSettings(
        epochs=chosen.epochs, batch=32, learning_rate=chosen.rate or RATES[run.network], schedule="one-cycle", seed=run.seed,
        device=chosen.device, duplicates=False, progress=chosen.verbose,
        augment=AugmentSettings(rotate=180, spatial_chance=0.8),
    )  # fmt: skip
    begun = time.perf_counter()
    train(network, samples, split, settings, chosen.out / "trainings" / run.name, preparation=PREPARATION)
    seconds = time.perf_counter() - begun
    found = {}
    for name, kinds, test, validation in _maps(run, network, samples, split, chosen):
        numbers = max((scored(test, validation, kind) for kind in kinds), key=lambda n: n["pxap"])
        found[name] = {**numbers, "seconds": seconds}
        print(f"{run.name}: {name}: " + ", ".join(f"{c} {found[name][c]:.3f}" for c in COLUMNS), flush=True)
    return found


Kinds = Sequence[ScoreMap]


def _maps(
    run: Run, network: nn.Module, samples: Samples, split: Split, chosen: argparse.Namespace
) -> Iterator[tuple[str, Kinds, Maps, Maps]]:
    contrast = ClassScore()
    if run.network != "resnet18":
        pair = [evidence(network, samples, part, chosen.device) for part in (split.test, split.validation)]
        yield f"{run.network} {run.pool} {run.form}", [contrast], pair[0], pair[1]
        if (run.network, run.pool, run.form) == ("gp_unet", POOLS[0], "exact"):
            yield "image intensity", [ImageIntensity()], pair[0], pair[1]
        return
    for name, method in POST_HOC.items():
        test, validation = (
            maps_by(
                method, network, [samples[i] for i in part], samples.classes, preparation=PREPARATION,
                device=chosen.device,
            )
            for part in (split.test, split.validation)
        )  # fmt: skip
        yield f"ResNet-18, {name}", [contrast, ClassScore("evidence")], test, validation


def evidence(network: nn.Module, samples: Samples, part: Sequence[int], device: str) -> Maps:
    """The network's own maps of a part."""
    reader = Reader()
    found = list(
        predict(network, [samples[i] for i in part], preparation=PREPARATION, batch=32, device=device)
    )
    return Maps(
        tuple(p.sample.id for p in found),
        tuple(p.sample.group for p in found),
        [p.evidence.numpy() for p in found],
        np.stack([p.logits.double().numpy() for p in found]),
        np.array([p.sample.label for p in found]),
        [mask_on(p.sample, p.prepared, reader).numpy() for p in found],
        [p.prepared.image.numpy() for p in found],
        healthy=0,
    )


def scored(test: Maps, validation: Maps, score: ScoreMap) -> dict[str, float]:
    """F1 of the decisions, PxAP of the maps, median Dice by threshold, false masks on healthy images."""
    asked, thresholds = (
        Asked(draws=1, surfaces=False),
        [Otsu(), HealthyQuantile(), HeldOutMasks(draws=1), Oracle()],
    )
    result = compare(test, validation, Protocol([score], thresholds, boxes=False), asked)
    rows = classification(test, draws=1)
    dice = {
        t.name: result.value(score=score.name, threshold=t.title, metric="dice median") for t in thresholds
    }
    return {
        "f1": next(r["value"] for r in rows if r["metric"] == "macro f1"),
        "pxap": result.value(score=score.name, metric="pxap"),
        **dice,
        "false masks": result.value(score=score.name, threshold="healthy", metric="false mask rate"),
    }


def table(folder: Path) -> Table:
    """Medians over seeds with the range, best PxAP first."""
    found: dict[str, list[dict[str, float]]] = {}
    for path in sorted(folder.glob("*.json")):
        for name, numbers in json.loads(path.read_text())["maps"].items():
            found.setdefault(name, []).append(numbers)
    shown = Table("map", "seeds", "F1", "PxAP", "Dice Otsu", "Dice healthy", "Dice 20 masks", "Dice oracle",
                  "false masks", "training (s)")  # fmt: skip
    for name, each in sorted(found.items(), key=lambda item: -_median(item[1], "pxap")):
        cells = [_cell(each, column) for column in COLUMNS]
        shown.add_row(name, str(len(each)), *cells, f"{_median(each, 'seconds'):.0f}")
    return shown


def _median(each: Sequence[dict[str, float]], column: str) -> float:
    return statistics.median(n[column] for n in each)


def _cell(each: Sequence[dict[str, float]], column: str) -> str:
    values = [n[column] for n in each]
    if any(math.isnan(v) for v in values):
        return "–"
    middle = f"{statistics.median(values):.2f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.2f}–{max(values):.2f})"


def main() -> None:
    """Do what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--table", type=Path, default=TUMOURS / "tumours.csv")
    parser.add_argument("--out", type=Path, default=TUMOURS / "benchmark")
    parser.add_argument("--only", default="", help="runs whose name holds this text")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30, help="0: train nothing, print the table")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--levels", type=int, default=2)
    parser.add_argument("--rate", type=float, help="the learning rate; by default each network's own")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--verbose", action="store_true", help="a line per epoch")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.epochs:
        samples = read_csv(chosen.table)
        split = given_split(samples)
        for run in runs(chosen.seeds):
            path = chosen.out / "runs" / f"{run.name}.json"
            if chosen.only not in run.name or path.exists():
                continue
            told = {"run": asdict(run), "epochs": chosen.epochs, "maps": measure(run, samples, split, chosen)}
            write_whole(path, json.dumps(told, indent=1).encode())
    Console(width=160).print(table(chosen.out / "runs"))


if __name__ == "__main__":
    main()
