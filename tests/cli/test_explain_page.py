"""What the page of `voxplain explain` states: hashes, confidence and regions without a pass, metrics; no patient."""

from __future__ import annotations

import csv
import hashlib
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy
from dicom_series import BIRTH, NAME, PATIENT, write_series

from voxplain.case import read_case

# one target is drawn, which is what takes time
BASE = (
    "explain",
    "--model",
    "nets.py:unet",
    "--image",
    "scan.nii.gz",
    "--out",
    "out",
    "--set",
    "maps.figures=1",
)
IDENTITY = (NAME, "Doe", "Jane", PATIENT, BIRTH, "SECRET", "Roe", "20200304", "1.2.826")


def page(path: str = "out/report.html") -> str:
    """What a reader sees, pictures left out."""
    text = Path(path).read_text(encoding="utf-8")
    return html.unescape(re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", text))


def test_nothing_of_a_patient_reaches_page_file_names_or_logs(
    folder: Path, voxplain: Callable[..., Any]
) -> None:
    pixels = np.random.default_rng(0).integers(-200, 300, (6, 10, 8)).astype(np.int16)
    write_series(
        Path("Doe Jane 1950"), pixels, BodyPartExamined="SECRET", RequestedProcedureDescription="SECRET"
    )
    ran = voxplain(
        "explain", "--model", "nets.py:unet", "--image", "Doe Jane 1950", "--out", "out", "--method", "gradient",
        "--metrics", "rounding_stability", "--set", "maps.figures=1",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    seen = re.sub(
        r"[A-Za-z0-9+/=]{200,}", "", page()
    )  # three letters are somewhere in any megabyte of base64
    assert not [word for word in (*IDENTITY, "1950") if word in seen]
    assert "DICOM series" in seen
    names = [path.as_posix() for path in Path("out").rglob("*")]
    assert names
    assert not [n for n in names if any(word in n for word in IDENTITY)]
    # the settings and the log name the folder that was asked for, and nothing from the headers
    for path in (p for p in Path("out").rglob("*") if p.suffix in (".json", ".jsonl", ".csv", ".yaml")):
        text = path.read_text(encoding="utf-8").replace("Doe Jane 1950", "")
        assert not [word for word in IDENTITY if word in text], path
    hashes = sorted(hashlib.sha256(p.read_bytes()).hexdigest() for p in Path("Doe Jane 1950").iterdir())
    assert hashlib.sha256("\n".join(hashes).encode()).hexdigest() in seen


def test_hashes_date_and_intended_use_are_stated(folder: Path, voxplain: Callable[..., Any]) -> None:
    hidden = folder / "a ward" / "scan.nii.gz"
    hidden.parent.mkdir()
    Path("scan.nii.gz").rename(hidden)
    ran = voxplain(
        "explain", "--model", "nets.py:unet", "--image", str(hidden), "--out", "out",
        "--set", "maps.figures=1", "--set", "report.intended_use=Only to be laughed at",
        "--set", "model.about=Trained on <nothing>",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    seen = page()
    for file in (hidden, Path("nets.py")):
        assert hashlib.sha256(file.read_bytes()).hexdigest() in seen
    assert "Only to be laughed at" in seen
    assert "&lt;nothing&gt;" in Path("out/report.html").read_text(encoding="utf-8")
    assert re.search(r"Made \d{4}-\d\d-\d\d \d\d:\d\d", seen)
    assert "a ward" not in seen
    assert f"{1 * 4 * 27 + 4 + 4 * 3 + 3}" in seen  # parameters


def test_confidence_and_regions_take_no_pass_and_are_right(
    folder: Path, voxplain: Callable[..., Any]
) -> None:
    from voxplain.engine.runner import Runner

    counted: list[int] = []
    forward = Runner.forward

    def counting(self: Runner, x: Any) -> Any:
        counted.append(len(x))
        return forward(self, x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runner, "forward", counting)
        assert voxplain(*BASE).code == 0
    # one for the prediction, one for the gradient of all classes
    assert sum(counted) == 2
    overview = json.loads(Path("out/ledger/prediction.json").read_text(encoding="utf-8"))["result"]
    net: dict[str, Any] = {}
    exec(compile(Path("nets.py").read_text(encoding="utf-8"), "nets.py", "exec"), net)
    import torch

    image = read_case("scan.nii.gz").image
    with torch.no_grad():
        p = torch.softmax(net["unet"]()(torch.from_numpy(image)[None])[0], 0).numpy()
    labels = p.argmax(0)
    assert overview["predicted"]
    for row in overview["predicted"]:
        k = overview["classes"].index(row["name"])
        assert row["inside"] == pytest.approx(p[k][labels == k].mean(), rel=1e-5)
        assert row["millilitres"] == pytest.approx((labels == k).sum() * 0.008)
        assert row["pieces"] == scipy.ndimage.label(labels == k, np.ones((3, 3, 3)))[1]
    assert "not calibrated on your data" in page()


def test_a_classifier_s_probabilities_follow_the_temperature(
    folder: Path, voxplain: Callable[..., Any]
) -> None:
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 16, 3)).astype(np.uint8)).save("p.png")
    words = (
        "explain",
        "--model",
        "nets.py:picture",
        "--image",
        "p.png",
        "--out",
        "out",
        "--classes",
        "a,b,c",
    )
    assert voxplain(*words).code == 0
    raw = np.array(json.loads(Path("out/ledger/prediction.json").read_text())["result"]["output"])
    own, softer = (scipy.special.softmax(raw / t) for t in (1.0, 4.0))
    assert f"a probability of {100 * own.max():.0f} %" in page()
    assert "(the margin)" in page()
    assert voxplain(*words, "--set", "report.temperature=4").code == 0
    assert f"a probability of {100 * softer.max():.0f} %" in page()
    assert "divided by a temperature of 4" in page()
    assert "upper left" in page()


def test_metrics_are_told_judged_once_and_shown(folder: Path, voxplain: Callable[..., Any]) -> None:
    words = (*BASE, "--method", "gradient", "--metrics", "faithfulness_correlation:draws=8")
    told = voxplain(*words, "--metrics", "mprt_absolute:steps=2", "--dry-run")
    assert "metric faithfulness_correlation: about 8 forward and 0 backward passes" in told.out
    assert not Path("out").exists()
    assert voxplain(*BASE, "--method", "gradient").code == 0
    assert "run again with --metrics quick to find out" in page()
    first = voxplain(*words)
    assert "gradient: made again" in first.out
    assert "faithfulness_correlation: judged" in first.out
    again = voxplain(*words, "--metrics", "mprt_absolute:steps=2")
    assert "gradient: done by an earlier run" in again.out
    assert "faithfulness_correlation: judged" not in again.out
    assert "mprt_absolute: judged" in again.out
    with Path("out/metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {r["metric"] for r in rows} == {"faithfulness_correlation", "mprt_absolute"}
    value = np.mean([float(r["value"]) for r in rows if r["metric"] == "mprt_absolute"])
    assert f"likeness {value:.2f}".replace("-", "−") in page()
    assert "mprt_absolute" not in voxplain(*words, "--metrics", "mprt_absolute:steps=2").out


def test_a_label_image_of_regions_is_used(folder: Path, voxplain: Callable[..., Any]) -> None:
    from voxplain.case import write_array

    case = read_case("scan.nii.gz")
    atlas = np.zeros(case.spatial_shape, np.int16)
    atlas[:6], atlas[6:] = 1, 2
    write_array("halves.nii.gz", atlas, case.geometry)
    assert voxplain(*BASE, "--target", "1", "--regions", "halves.nii.gz").code == 0
    unit = json.loads(Path("out/ledger/gradient.json").read_text(encoding="utf-8"))["result"]
    (table,) = unit["regions"]
    values = np.abs(read_case("out/maps/scan/gradient/class-1.nii.gz").image[0])
    shares = {row["name"]: row["mass"] for row in table["rows"]}
    assert shares == pytest.approx(
        {"1": values[:6].sum() / values.sum(), "2": values[6:].sum() / values.sum()}
    )
    gone = voxplain(*BASE, "--target", "1", "--regions", "nowhere.nii.gz")
    assert gone.code != 0
    assert "nowhere.nii.gz" in gone.err
