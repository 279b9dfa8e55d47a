"""Bad input ends in one clear line per mistake and exit code 2; nothing ends in a traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from voxplain.cli.failures import guarded
from voxplain.errors import InputError, OutOfMemoryError

BASE = ("explain", "--model", "nets.py:linear", "--image", "scan.nii.gz", "--out", "out")


def shows_no_traceback(err: str) -> bool:
    return "Traceback" not in err and "  File " not in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("explain", "--image", "scan.nii.gz"), ["model: is needed"]),
        (("explain", "--model", "nets.py:linear"), ["image: is needed"]),
        ((*BASE, "--image", "scna.nii.gz"), ["scna.nii.gz does not exist", "did you mean 'scan.nii.gz'"]),
        ((*BASE, "--label", "gone/seg.nii.gz"), ["label:", "gone does not exist either"]),
        ((*BASE, "--model", "nets.py:linaer"), ["'linaer'", "did you mean 'linear'"]),
        ((*BASE, "--model", "net.py:linear"), ["net.py"]),
        ((*BASE, "--weights", "w.pt"), ["model.weights:", "w.pt does not exist"]),
        ((*BASE, "--method", "gradiant"), ["methods.0:", "'gradiant'", "did you mean 'gradient'"]),
        ((*BASE, "--method", "integrated-gradients:noeds=3"), ["unknown parameter 'noeds'", "'nodes'"]),
        ((*BASE, "--method", "integrated-gradients:nodes=many"), ["nodes", "'many'"]),
        ((*BASE, "--method", "integrated-gradients:nodes=0"), ["nodes=0", "at least 1"]),
        ((*BASE, "--target", "boundry:1"), ["targets.0:", "did you mean 'boundary'"]),
        ((*BASE, "--target", "1@logits"), ["unknown score 'logits'", "did you mean 'logit'"]),
        ((*BASE, "--target", "livr", "--classes", "rest,liver"), ["'livr'", "did you mean 'liver'"]),
        ((*BASE, "--target", "7"), ["class 7", "0 to 1"]),
        ((*BASE, "--target", "fp:1"), ["ground-truth", "label"]),
        ((*BASE, "--target", "voxel:50,0,0"), ["voxel (50, 0, 0)", "(12, 10, 8)"]),
        ((*BASE, "--classes", "a,b,c"), ["found 3 names", "2 output"]),
        ((*BASE, "--classes", "labels.json"), ["labels.json"]),
        ((*BASE, "--scale", "minmx"), ["prepare.scale:", "did you mean 'minmax'"]),
        ((*BASE, "--scale", "300,-100"), ["prepare.scale:", "LOW < HIGH"]),
        ((*BASE, "--orientation", "LLA"), ["prepare.orientation:", "'LLA'", "RAS or LIA"]),
        ((*BASE, "--spacing", "0"), ["prepare.spacing:", "positive"]),
        ((*BASE, "--spacing", "1", "--size", "32"), ["spacing and size"]),
        ((*BASE, "--roi", "96,x"), ["windows.roi:", "'96,x'", "96,96,64"]),
        ((*BASE, "--overlap", "1"), ["windows.overlap:", "0.25"]),
        ((*BASE, "--precision", "fp8"), ["model.precision:", "'fp8'", "'fp32' or 'bf16'"]),
        ((*BASE, "--device", "cuda:99"), ["cuda:99"]),
        ((*BASE, "--seed", "-1"), ["seed:", "greater than or equal to 0"]),
        ((*BASE, "--head", "out"), ["head='out'", "one tensor"]),
        ((*BASE, "--task", "classification"), ["task: asked for classification"]),
        ((*BASE, "--set", "windows.rio=3"), ["windows.rio:", "unknown key", "did you mean 'roi'"]),
        ((*BASE, "--set", "seed"), ["--set 'seed'", "a.b=v"]),
        ((*BASE, "--config", "none.yaml"), ["none.yaml"]),
        ((*BASE, "--modl", "x"), ["--modl", "--model"]),
        (("explian",), ["explian", "explain"]),
        (("inspect", "gone.nii.gz"), ["gone.nii.gz"]),
        (("inspect", "nets.py"), ["which function", "nets.py:"]),
        (("methods", "smothgrad"), ["did you mean 'smoothgrad'"]),
        ((*BASE, "--model", "nets.py:picture"), ["volume (12, 10, 8)", "2-D"]),
        ((*BASE, "--model", "nets.py:broken"), ["NaN"]),
        ((*BASE, "--slice", "k=3"), ["slice:", "takes volumes"]),
    ],
)
def test_bad_input_is_one_line_that_names_it_and_a_remedy(
    folder: Path, voxplain: Callable[..., object], words: tuple[str, ...], says: list[str]
) -> None:
    ran = voxplain(*words)
    assert ran.code == 2
    assert len(ran.complaints) == 1, ran.err
    assert ran.err.startswith("voxplain: ")
    for part in says:
        assert part in ran.err
    assert shows_no_traceback(ran.err)


def test_all_mistakes_are_told_at_once(folder: Path, voxplain: Callable[..., object]) -> None:
    ran = voxplain(*BASE, "--overlap", "2", "--scale", "x", "--method", "nope", "--set", "maps.sav=true")
    paths = {line.split(": ")[1] for line in ran.complaints}
    assert ran.code == 2
    assert paths == {"windows.overlap", "prepare.scale", "methods.0", "maps.sav"}


def test_bad_input_leaves_no_output_folder(folder: Path, voxplain: Callable[..., object]) -> None:
    voxplain(*BASE, "--overlap", "2")
    voxplain(*BASE, "--classes", "a,b,c")
    assert not Path("out").exists()


def test_wrong_weights_say_what_does_not_fit(folder: Path, voxplain: Callable[..., object]) -> None:
    torch.save({"weight": torch.zeros(3, 1, 1, 1, 1)}, "w.pt")
    ran = voxplain(*BASE, "--weights", "w.pt")
    assert ran.code == 2
    assert "(3, 1, 1, 1, 1)" in ran.err
    assert "(2, 1, 1, 1, 1)" in ran.err


def test_a_pickle_is_not_run(folder: Path, voxplain: Callable[..., object]) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (Path("ran"),))

    Path("w.pt").write_bytes(pickle.dumps(Evil()))
    ran = voxplain(*BASE, "--weights", "w.pt")
    assert ran.code == 2
    assert len(ran.complaints) == 1
    assert not Path("ran").exists()


def test_nan_in_the_image_is_an_error_until_it_is_filled(
    folder: Path, voxplain: Callable[..., object]
) -> None:
    import nibabel as nib

    image = np.ones((6, 6, 6), np.float32)
    image[0, 0, 0] = np.nan
    nib.save(nib.Nifti1Image(image, np.eye(4)), "nan.nii.gz")
    words = ("explain", "--model", "nets.py:linear", "--image", "nan.nii.gz", "--out", "out")
    refused = voxplain(*words)
    assert refused.code == 2
    assert "NaN" in refused.err
    assert "fill_nan" in refused.err
    assert voxplain(*words, "--set", "fill_nan=0", "--set", "maps.figures=0").code == 0


def test_an_empty_mask_is_an_error(folder: Path, voxplain: Callable[..., object]) -> None:
    import nibabel as nib

    scan = nib.load("scan.nii.gz")
    nib.save(nib.Nifti1Image(np.zeros((12, 10, 8), np.uint8), scan.affine), "mask.nii.gz")
    ran = voxplain(*BASE, "--target", "mask:1", "--mask", "mask.nii.gz")
    assert ran.code == 2
    assert "is empty" in ran.err


def test_out_that_is_a_file_is_refused(folder: Path, voxplain: Callable[..., object]) -> None:
    Path("out").write_text("mine", encoding="utf-8")
    ran = voxplain(*BASE)
    assert ran.code == 2
    assert "is a file" in ran.err
    assert Path("out").read_text(encoding="utf-8") == "mine"


def test_a_full_disk_is_one_line(folder: Path) -> None:
    """A limit on file sizes makes every larger write fail as on a full disk."""
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "from voxplain.cli.app import run\n"
        f"sys.exit(run({list(BASE)!r}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 2, ran.stderr
    assert "cannot be written" in ran.stderr
    assert shows_no_traceback(ran.stderr)
    assert not list(Path().rglob(".*"))


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (InputError("image: gone"), 2, "image: gone"),
        (OutOfMemoryError("too large"), 2, "too large"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (FileNotFoundError(2, "No such file or directory", "x.nii"), 2, "x.nii: no such file or directory"),
        (
            ZeroDivisionError("division by\n zero"),
            3,
            "unexpected ZeroDivisionError: division by zero (run with --debug",
        ),
    ],
)
def test_exit_codes(capsys: pytest.CaptureFixture[str], error: BaseException, code: int, says: str) -> None:
    def work() -> int:
        raise error

    assert guarded(work) == code
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: 1 // 0, debug=True) == 3
    assert "Traceback" in capsys.readouterr().err
