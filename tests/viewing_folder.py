"""A study's folder as a run leaves it, written by hand, so that all of it is known and no network runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from voxplain.case import Geometry, write_array
from voxplain.study.planning.plan import plan
from voxplain.study.settings.load import load_study

METHODS = ("gradient", "lrp", "grad_cam")
TARGETS = ("liver", "spleen")
EVIL = "<img src=x onerror=\"document.title='stolen'\">"
SHAPE = (10, 12, 9)
LPS = np.array([[-2.0, 0, 0, 20], [0, -1.5, 0, 30], [0, 0, 3.0, -10], [0, 0, 0, 1]])
STRANGE = 3  # the case whose figures are far from all others'


def voxels(case: int, method: int, target: int) -> np.ndarray:
    """A map, (*SHAPE), whose every voxel tells where it is and whose it is."""
    x, y, z = np.indices(SHAPE)
    return (0.25 + x + 0.1 * y + 0.01 * z + 100 * method + 1000 * target + 0.5 * case).astype(np.float32)


class ViewedStudy:
    """Writes it.

    Args:
        folder: an empty one.
        cases: how many; the last has a name with a script in it.
        undone: numbers of cases that the study has not come to.
    """

    def __init__(self, folder: Path, cases: int = 9, undone: tuple[int, ...] = ()) -> None:
        self.images, self.out = folder / "images", folder / "out"
        self.images.mkdir(parents=True)
        self.geometry = Geometry(LPS, SHAPE)
        self.ids = [f"case-{n}" for n in range(cases - 1)] + [EVIL]
        for n in range(cases):
            write_array(self.images / f"{n}.nii.gz", self.image(n), self.geometry)
        (folder / "nets.py").write_text("raise RuntimeError('no network is run to look at results')\n")
        settings = {
            "title": "Of gradient and lrp",
            "models": {"net": {"source": str(folder / "nets.py:unet")}},
            "cases": [{"image": [str(self.images / f"{n}.nii.gz")], "id": i} for n, i in enumerate(self.ids)],
            "targets": list(TARGETS),
            "methods": list(METHODS),
            "metrics": ["complexity", "faithfulness_correlation"],
            "nulls": 1,
            "out": ".",
        }
        self.out.mkdir()
        (self.out / "study.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        self.plan = plan(load_study(self.out / "study.yaml"))
        self._mark("net/model", {"classes": ["background", *TARGETS], "key": "k"})
        for n in set(range(cases)) - set(undone):
            self._case(n)
        (self.out / "tables").mkdir()
        rows = [f"net,{m},{'holds' if m == 'lrp' else 'fails'},holds,{cases},text" for m in METHODS]
        text = "\n".join(["model,method,level,here,cases,text", *rows])
        (self.out / "tables" / "verdicts.csv").write_text(text + "\n", encoding="utf-8")

    def image(self, case: int) -> np.ndarray:
        return (np.arange(np.prod(SHAPE)).reshape(SHAPE) + 7 * case).astype(np.int16)

    def labels(self) -> np.ndarray:
        found = np.zeros(SHAPE, np.uint8)
        found[2:5, 3:7, 2:6], found[6:9, 3:7, 2:6] = 1, 2
        return found

    def place(self, case: int) -> str:
        """The folder of a case's results."""
        return self.plan.folder(next(t for t in self.plan.tasks if t.kind == "ask" and t.case == case))

    def map_file(self, case: int, method: str, target: str) -> Path:
        return self.out / "maps" / self.place(case) / method / f"{target}.nii.gz"

    def _write(self, path: Path, values: np.ndarray) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_array(path, values, self.geometry)

    def _mark(self, unit: str, result: dict[str, Any]) -> None:
        path = self.out / "ledger" / f"{unit}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps({"key": "k", "files": {}, "seen": {}, "result": {"status": "ok", **result}})
        )

    def _case(self, n: int) -> None:
        place = self.place(n)
        targets = [
            {
                "name": t,
                "class": t,
                "kind": "predicted",
                "score": "logit",
                "status": "ok",
                "note": "",
                "voxels": 9,
            }
            for t in TARGETS
        ]
        asked = {"targets": targets, "scores": [float(n), 10.0 - n], "image": "i", "network": "n", "batch": 1}
        self._mark(f"{place}/ask", asked)
        self._write(self.out / "predictions" / f"{place}.nii.gz", self.labels())
        for m, method in enumerate(METHODS):
            rows = [{"target": t, "status": "ok", "method": method, "note": ""} for t in TARGETS]
            own = self.plan.methods[method].method.parameters()
            unit = f"score per unit of {method}"
            self._mark(f"{place}/map-{method}", {"rows": rows, "parameters": own, "unit": unit, "note": ""})
            for t, target in enumerate(TARGETS):
                self._write(self.map_file(n, method, target), voxels(n, m, t))
        judged = {name: self._judged(name, n) for name in self.plan.metrics}
        path = self.out / "judged" / place / "shared-all.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(judged))

    def _judged(self, metric: str, case: int) -> dict[str, Any]:
        """`lrp` is better than its nulls in all cases, `gradient` in even ones, `grad_cam` in none."""
        better = {"lrp": True, "gradient": case % 2 == 0, "grad_cam": False}
        strange = 50.0 if case == STRANGE else 0.0

        def figure(value: float) -> dict[str, Any]:
            return {"value": value, "replicates": None, "note": "", "curve": []}

        def of(method: str, t: int) -> dict[str, Any]:
            if metric == "complexity":
                return figure(5 + 0.1 * case + t + METHODS.index(method) + strange)
            return figure((0.8 if better[method] else 0.1) + 0.001 * case)

        nulls = {n: {str(t): figure(0.2) for t in range(2)} for n in ("zero", "random-1", "edges")}
        return {
            "key": "k",
            "maps": {m: {str(t): of(m, t) for t in range(2)} for m in METHODS},
            "nulls": {} if metric == "complexity" else nulls,
            "meaning": dict.fromkeys(METHODS, "slope"),
            "parameters": self.plan.metrics[metric].metric.told_parameters,
            "random": 1,
        }
