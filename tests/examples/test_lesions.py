"""Pictures with and without a lesion: which are in which part, and that nobody is tested by what he has taught."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from lesions import make

from voxplain.cli.app import run
from voxplain.inherent import load_inherent, prepare_task


def volume(seed: int, shape: tuple[int, int, int] = (70, 70, 80)) -> tuple[np.ndarray, np.ndarray]:
    """A box of brain with a lesion at its lower end and a speck of one at its upper end."""
    flair, lesions = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    flair[2:-2, 2:-2, 2:-2] = np.random.default_rng(seed).normal(80, 5, tuple(n - 4 for n in shape))
    lesions[10:16, 10:16, 5:60] = 1
    lesions[40, 40, 70] = 1
    return flair + 40 * lesions, lesions


def test_tiles_are_parts_of_the_scan_and_labels_say_whether_the_mask_has_anything_in_them() -> None:
    flair, lesions = volume(0)
    found = list(make.tiles(flair, lesions))
    assert found
    inside = flair[flair != 0]
    for tile in found[::7]:
        i, j, k = tile.corner
        there = (slice(i, i + make.EDGE), slice(j, j + make.EDGE), k)
        assert np.array_equal(tile.mask, lesions[there]) and tile.label == int(lesions[there].any())
        wanted = np.where(flair[there] == 0, 0, (flair[there] - inside.mean()) / inside.std())
        assert np.allclose(tile.image, wanted, atol=1e-3)
    assert any(not tile.clear for tile in found) and any(tile.label and tile.clear for tile in found)


def test_parts_keep_the_patients_and_blocks_apart() -> None:
    found = {name: list(make.tiles(*volume(seed))) for seed, name in enumerate(make.PATIENTS)}
    arrays = make.data_set(found, "patient07")
    parts, groups = arrays["part"], arrays["group"]
    assert {str(g) for g in groups[parts == "test"]} == {"patient19"}
    assert (parts == "test").sum() == len(found["patient19"])  # all of them, clear or not
    assert all(str(name).startswith("patient07") for name in arrays["id"][parts != "test"])
    slices = {
        part: {int(str(name).split("-")[-1]) for name in arrays["id"][parts == part]}
        for part in ("train", "validation")
    }
    apart = min(abs(a - b) for a in slices["train"] for b in slices["validation"])
    assert apart > 5
    marked = arrays["mask"].sum((1, 2))
    assert not ((marked > 0) & (marked < make.CLEAR) & (parts != "test")).any()


def test_the_lesions_can_be_learned_from(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (data / "ms_lesion").is_dir():
        pytest.skip(f"no scans with lesions here ({data / 'ms_lesion'})")
    monkeypatch.setattr(make, "DATA", data)
    make.main(["--out", str(tmp_path / "made")])
    shutil.copyfile(Path(make.__file__).parent / "lesions.yaml", tmp_path / "lesions.yaml")
    task = prepare_task(load_inherent(tmp_path / "lesions.yaml"))
    assert [len(part) for part in task.split.parts().values()] == [857, 435, 1939]
    assert {task.samples[i].group for i in task.split.test} == {"patient07"}
    assert "Two patients" in task.samples.notes[0]


def test_one_spinal_cord_with_a_lesion_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither one patient nor slices of one on both sides can be learned from and tested by."""
    image, mask = (data / f"spine/t2_t2_fake_lesion{name}.nii.gz" for name in ("", "_lesion_seg"))
    if not image.exists():
        pytest.skip(f"no spinal cord here ({image})")
    (tmp_path / "volume.csv").write_text(f"image,label,patient,mask\n{image},lesion,one,{mask}\n")
    slices = [(j, "lesion" if 16 <= j <= 27 else "healthy", "train" if j < 22 else "test") for j in range(99)]
    rows = [f"{image},{label},one,{mask},j={j},{part}" for j, label, part in slices]
    (tmp_path / "slices.csv").write_text("image,label,patient,mask,slice,part\n" + "\n".join(rows) + "\n")
    (tmp_path / "volume.yaml").write_text(
        "data: {source: volume.csv, slices: {axis: j, labels_from_masks: true}}"
    )
    (tmp_path / "slices.yaml").write_text("data: slices.csv")
    for name, says in (
        ("volume", "found 1 patient, expected at least 3"),
        ("slices", "1 patient is in more than one part"),
    ):
        assert run(["inherent", "train", str(tmp_path / f"{name}.yaml")]) == 2
        assert says in capsys.readouterr().err
