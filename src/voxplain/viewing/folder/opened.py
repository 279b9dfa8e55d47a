"""Which kind of folder it is."""

from __future__ import annotations

from pathlib import Path

from voxplain.errors import InputError
from voxplain.viewing.folder.folder import Folder


def opened(path: str | Path) -> Folder:
    """The results in a folder.

    Args:
        path: where `voxplain study` or `voxplain explain` has written to.

    Raises:
        InputError: it holds no results.
    """
    given = Path(path)
    if not given.is_dir():
        what = "is a file" if given.exists() else "does not exist"
        raise InputError(
            f"{given}: {what}, expected the folder that `voxplain study` or `voxplain explain` wrote"
        )
    out = given.resolve()
    if (out / "study.yaml").is_file() and (out / "ledger").is_dir():
        from voxplain.viewing.folder.of_study import StudyFolder

        return StudyFolder(out)
    if (out / "explain.yaml").is_file() and (out / "ledger").is_dir():
        from voxplain.viewing.folder.of_explain import ExplainFolder

        return ExplainFolder(out)
    below = sorted({p.parent.name for p in out.glob("*/ledger") if p.is_dir()})
    near = f"; did you mean {' or '.join(str(given / name) for name in below[:3])}?" if below else ""
    raise InputError(
        f"{given}: holds no results of a study; expected a folder that `voxplain study` or `voxplain explain` wrote{near}"
    )
