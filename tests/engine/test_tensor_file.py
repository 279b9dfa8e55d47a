"""Our own reader and writer of safetensors' format against safetensors itself, and against damage."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from voxplain.engine.tensor_file import TensorFile, write_tensors
from voxplain.errors import InputError, StorageError

FACTS = {"kind": "test", "text": 'quotes " and ünïcode\n'}


def tensors():
    torch.manual_seed(0)
    odd = torch.tensor([float("nan"), -0.0, float("inf"), 1e-45])
    return {
        "float": torch.cat([torch.randn(9), odd]).reshape(1, 13),
        "double": torch.randn(2, 3, 4, dtype=torch.float64),
        "not contiguous": torch.arange(12, dtype=torch.int16).reshape(3, 4).T,
        "scalar": torch.tensor(7, dtype=torch.int16),
        "flags": torch.tensor([[True, False, True]]),
        "empty": torch.zeros(3, 0),
    }


def same_bits(a, b):
    a, b = a.contiguous().reshape(-1).view(torch.uint8), b.contiguous().reshape(-1).view(torch.uint8)
    return torch.equal(a, b)


def write(path, given):
    return write_tensors(path, list(given), given.__getitem__, FACTS)


def test_safetensors_reads_what_we_write(tmp_path):
    given = tensors()
    path = write(tmp_path / "new" / "a.safetensors", given)
    found = load_file(path)
    assert found.keys() == given.keys()
    for name, truth in given.items():
        assert found[name].shape == truth.shape and found[name].dtype == truth.dtype
        assert same_bits(found[name], truth), name
    with safe_open(path, "pt") as file:
        assert file.metadata() == FACTS


def test_we_read_what_safetensors_writes(tmp_path):
    given = {name: t.contiguous() for name, t in tensors().items()}
    save_file(given, tmp_path / "a.safetensors", FACTS)
    file = TensorFile(tmp_path / "a.safetensors")
    assert file.facts == FACTS
    assert file.entries.keys() == given.keys()
    for name, truth in given.items():
        found = file.read(name)
        assert found.shape == truth.shape and found.dtype == truth.dtype
        assert same_bits(found, truth), name


def test_a_tensor_that_was_read_is_ones_own(tmp_path):
    file = TensorFile(write(tmp_path / "a", tensors()))
    file.read("double").zero_()
    assert same_bits(file.read("double"), tensors()["double"])


def test_a_file_written_again_is_read_by_its_own_header(tmp_path):
    given = tensors()
    file = TensorFile(write(tmp_path / "a", given))
    write_tensors(tmp_path / "a", ["scalar", "double"], given.__getitem__, {"longer": "x" * 999})
    assert same_bits(file.read("double"), given["double"])
    with pytest.raises(InputError, match="another file since"):
        file.read("float")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b[:-1], "bytes, expected"),
        (lambda b: b + b"\0", "bytes, expected"),
        (lambda b: b[:20], "cut off"),
        (lambda b: b"", "damaged"),
        (lambda b: b[:8] + b"[" + b[9:], "damaged"),
        (lambda b: b.replace(b'"F64"', b'"F32"'), "another size"),
        (lambda b: b.replace(b'"F64"', b'"F16"'), "damaged"),
        (lambda b: b"\x93NUMPY" + b, "cut off"),
    ],
)
def test_damage_is_told_in_one_line_with_the_file(damage, message, tmp_path):
    path = write(tmp_path / "a", tensors())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=message) as caught:
        TensorFile(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_no_file_no_folder_no_tensor(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            TensorFile(path)
    with pytest.raises(StorageError, match="is a folder"):
        write(tmp_path, tensors())
    with pytest.raises(InputError, match="holds no 'other'"):
        TensorFile(write(tmp_path / "a", tensors())).read("other")


def test_a_write_that_fails_leaves_the_file_that_was_there(tmp_path):
    path = write(tmp_path / "a", tensors())
    before, asked = path.read_bytes(), []

    def fails(name):
        asked.append(name)
        if len(asked) > 2:
            raise RuntimeError("stop")
        return torch.ones(3)

    with pytest.raises(RuntimeError, match="stop"):
        write_tensors(path, ["x", "y"], fails, {})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


PEAK = """
import resource, sys, torch
from pathlib import Path
from voxplain.engine.tensor_file import TensorFile, write_tensors
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(l.split()[1]) >> 10 for l in lines if l.startswith("VmHWM"))
torch.ones(8 << 20).sum()
path, names = Path(sys.argv[1]), [str(i) for i in range(12)]
Path("/proc/self/clear_refs").write_text("5")
before = peak()
write_tensors(path, names, lambda n: torch.full((2, 4 << 20), float(n)), {})
file = TensorFile(path)
# no room for the whole file, which is twelve times 32 MiB
data = next(int(l.split()[1]) << 10 for l in Path("/proc/self/status").read_text().splitlines() if "VmData" in l)
resource.setrlimit(resource.RLIMIT_DATA, (data + (100 << 20), resource.RLIM_INFINITY))
assert all(bool((file.read(n) == float(n)).all()) for n in names)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells peaks in its own way")
def test_memory_is_that_of_one_tensor_whatever_their_number(tmp_path):
    out = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / "a")], capture_output=True, text=True, check=False
    )
    assert out.returncode == 0, out.stderr
    assert int(out.stdout) < 3 * 32, "MiB; all tensors together take 384"
