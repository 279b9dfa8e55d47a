"""Files that are whole or not there: written under a temporary name beside their place, then renamed."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from voxplain.errors import InputError, StorageError, suggest

# what writers outside of Python say, and what it means: safetensors is Rust, and PyTorch does not tell why
_FULL = {
    "os error 28": os.strerror(errno.ENOSPC),
    "inline_container": "PyTorch could not write all of it; is the disk full?",
}


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all; its folder is made where it is missing.

    Raises:
        StorageError: it cannot be written.
    """
    with whole(path, parents=True) as temporary:
        temporary.write_bytes(content)
    return path


@contextmanager
def whole(path: Path, *, folder: bool = False, parents: bool = False) -> Iterator[Path]:
    """A temporary path to write to; on success it takes the place of `path`, on failure nothing is left.

    Args:
        path: what to write. An existing file is replaced; an existing folder must be empty.
        folder: make a folder instead of a file.
        parents: make the folder that `path` lies in.

    Raises:
        StorageError: no such parent folder, no permission, a full disk, a folder that is not empty.
    """
    # Writers choose the format by the suffix, so the temporary name keeps it.
    temporary = path.with_name(f".{uuid.uuid4().hex}{_suffixes(path)}")
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        _check_place(path, folder)
        if folder:
            temporary.mkdir()
        yield temporary
        temporary.replace(path)
    except InputError:
        raise
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise StorageError(f"{path}: cannot be written: {reason}") from error
    except Exception as error:
        reasons = [reason for word, reason in _FULL.items() if word in str(error)]
        if not reasons:
            raise
        raise StorageError(f"{path}: cannot be written: {reasons[0]}") from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            with suppress(OSError):  # its folder may be what is wrong
                temporary.unlink()


def _suffixes(path: Path) -> str:
    """The last suffix, with ".gz" the last two; dots earlier in a name mean nothing."""
    return "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:])


def _check_place(path: Path, folder: bool) -> None:
    parent = path.parent
    if not parent.is_dir():
        above = parent
        while not above.is_dir():
            missing, above = above, above.parent
        known = sorted(p.name for p in above.iterdir() if p.is_dir())
        raise StorageError(f"{path}: there is no folder {parent}; in {above}: {suggest(missing.name, known)}")
    if folder and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise StorageError(f"{path}: exists and is not an empty folder; name a new one")
    if not folder and path.is_dir():
        raise StorageError(f"{path}: is a folder; name a file")
