"""What the runner of a study costs beside its work: the same maps and metrics, bare in one process and as a study.

    python benchmarks/study.py [--edge 64] [--repeats 1]

Prints seconds of work (maps and metrics alone) and of whole commands, imports included, and their ratios, by the clock
and in processor time, which another program on the machine disturbs less; then passes of the metrics whose
perturbations all maps share, for 2 and for 8 methods.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NET = """
import torch
from monai.networks.nets import BasicUNet


def unet():
    torch.manual_seed(0)
    return BasicUNet(spatial_dims=3, in_channels=1, out_channels=1, features=(8, 8, 16, 16, 16, 8), act="relu", norm="batch")
"""
METHODS = ("gradient", "input_x_gradient", "guided_backprop", "lrp", "integrated_gradients:nodes=8", "smoothgrad:draws=8",
           "grad_cam", "expected_gradients:draws=8")  # fmt: skip
METRICS = (
    "faithfulness_correlation",
    "infidelity",
    "deletion",
    "insertion",
    "sensitivity_average:draws=2",
    "complexity",
)
BARE = """
import json, sys, time
from pathlib import Path
import torch
from voxplain.study import load_study
from voxplain.study.planning.plan import plan
from voxplain.study.working.held import Held
from voxplain.engine import Problem
from voxplain.metric import evaluate

torch.set_num_threads(1)
settings = load_study(Path("study.yaml"))
held = Held(plan(settings), "cpu", lambda *_: None)
model = held.model("net")
started = time.perf_counter()
for case in range(len(settings.cases)):
    problem = Problem(model, held.case(case), ["1"], batch=4)
    problem.clean_scores()
    made = {n: held.method(n).attribute(problem) for n in held.plan.methods}
    evaluate(problem, made, [m.metric for m in held.plan.metrics.values()], random_nulls=settings.nulls)
print(json.dumps(time.perf_counter() - started))
"""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--edge", type=int, default=64, help="voxels along each axis; divisible by 16")
    parser.add_argument("--cases", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    for _ in range(arguments.repeats):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), arguments.edge, arguments.cases)


def measure(folder: Path, edge: int, cases: int) -> None:
    """One round."""
    from voxplain.case import write_case
    from voxplain.phantom import vessels

    (folder / "nets.py").write_text(NET, encoding="utf-8")
    (folder / "bare.py").write_text(BARE, encoding="utf-8")
    for number in range(cases):
        write_case(folder / f"case-{number}.nii.gz", vessels((edge,) * 3, seed=number))
    write(folder, METHODS)
    bare, processor, text = timed(folder, [sys.executable, "bare.py"])
    work = float(text.splitlines()[-1])
    print(f"bare: work {work:.1f} s, whole command {bare:.1f} s, processor {processor:.1f} s", flush=True)
    for workers in (1, 2):
        out = f"out-{workers}"
        whole, busy, _ = timed(folder, command(out, workers))
        took = sum(seconds(folder / out))
        print(
            f"study, {workers} worker{'s' * (workers > 1)}: work {took:.1f} s ({took / work:.3f} of bare), "
            f"whole command {whole:.1f} s ({whole / bare:.3f} of bare), "
            f"processor {busy:.1f} s ({busy / processor:.3f} of bare)",
            flush=True,
        )
    passes = {len(METHODS): shared(folder / "out-1")}
    write(folder, METHODS[:2])
    timed(folder, command("out-few", 1))
    passes[2] = shared(folder / "out-few")
    print(
        "shared perturbations: "
        + ", ".join(f"{n} methods {p} forward passes" for n, p in sorted(passes.items()))
    )


def write(folder: Path, methods: tuple[str, ...]) -> None:
    """The study's settings."""
    (folder / "study.yaml").write_text(
        "models: {net: {source: 'nets.py:unet', output: binary, task: segmentation, batch: 4, prepare: {scale: zscore}}}\n"
        f"cases: [{{image: 'case-{{id}}.nii.gz'}}]\ntargets: ['1']\nmethods: {json.dumps(methods)}\n"
        f"metrics: {json.dumps(METRICS)}\nnulls: 2\n",
        encoding="utf-8",
    )


def command(out: str, workers: int) -> list[str]:
    """The study's command."""
    return [sys.executable, "-m", "voxplain", "study", "study.yaml", "--out", out, "--workers", str(workers)]


def timed(folder: Path, words: list[str]) -> tuple[float, float, str]:
    """Seconds of a whole command by the clock and of the processor, and what it printed."""
    started, before = time.perf_counter(), processor_seconds()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return time.perf_counter() - started, processor_seconds() - before, done.stdout


def processor_seconds() -> float:
    """What all children that have ended, and theirs, have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds(out: Path) -> list[float]:
    """What every task of a study took, as its driver saw it."""
    log = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["seconds"] for line in log if line["event"] == "settled"]


def shared(out: Path) -> int:
    """Forward passes of one case's task whose perturbations all maps share."""
    marker = json.loads((out / "ledger" / "net" / "0" / "judge-shared-all.json").read_text(encoding="utf-8"))
    return int(marker["result"]["passes"]["forward"])


if __name__ == "__main__":
    main()
