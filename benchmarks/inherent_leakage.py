"""What leaks when slices of one patient are on both sides of a split: accuracy on labels that were drawn at random.

    python examples/tumours/make.py
    python benchmarks/inherent_leakage.py

A coin is thrown for every patient of the phantom; chance is 0.5. The same network is trained on patients kept whole, and on
slices divided as they come (Yagis et al. 2021, Scientific Reports 11:22544). Only healthy heads are taken, so that nothing
but the patient can be learned, at half of their resolution.
"""

from __future__ import annotations

import statistics
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import arguments

from voxplain.inherent import Samples, TrainingSettings, make_network, read_csv, split_samples, train
from voxplain.inherent.training import predict
from voxplain.model import Preparation

TABLE = Path(__file__).resolve().parent.parent / "examples" / "tumours" / "made" / "tumours.csv"
PREPARATION = Preparation(scale="zscore", size=(28, 32))


def of_coins(samples: Samples, seed: int) -> Samples:
    """The healthy images, with a label per patient from a coin; as many heads as tails."""
    healthy = [s for s in samples if samples.classes[s.labels[0]] == "healthy"]
    patients = sorted({s.group for s in healthy})
    coins = dict(zip(patients, np.random.default_rng(seed).permutation(len(patients)) % 2, strict=True))
    items = tuple(replace(s, label=int(coins[s.group])) for s in healthy)
    return Samples(items, ("heads", "tails"))


def accuracy(samples: Samples, grouped: bool, seed: int, epochs: int) -> float:
    """On the test part, of the epoch that the validation part chose."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that slices are divided is the point
        split = split_samples(
            samples, {"train": 0.6, "validation": 0.2, "test": 0.2}, seed=seed, grouped=grouped
        )
    torch.manual_seed(seed)
    network = make_network("gp_unet", 1, 2, pool="mean", widths=[32, 64, 128], norm="batch")
    settings = TrainingSettings(
        epochs=epochs, batch=16, learning_rate=0.003, schedule="one-cycle", seed=seed, augment=None, device="cpu",
        progress=False, duplicates=False,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        train(network, samples, split, settings, Path(out) / "t", preparation=PREPARATION)
    found = list(predict(network, [samples[i] for i in split.test], preparation=PREPARATION, batch=32))
    return statistics.fmean(int(p.logits.argmax()) == p.sample.label for p in found)


def main() -> None:
    """Print both accuracies per seed and their means."""
    chosen = arguments(__doc__, table=str(TABLE), epochs=20, seeds=3)
    every = read_csv(Path(chosen.table))
    means = {}
    for grouped in (True, False):
        found = [accuracy(of_coins(every, s), grouped, s, chosen.epochs) for s in range(chosen.seeds)]
        means[grouped] = statistics.fmean(found)
        told = ", ".join(f"{value:.2f}" for value in found)
        print(
            f"{'patients whole' if grouped else 'slices divided'}: accuracy {told}; mean {means[grouped]:.2f}"
        )
    print(f"chance 0.50; leakage adds {means[False] - means[True]:.2f}")


if __name__ == "__main__":
    main()
