"""What voxplain warns of while a task is done, as texts that can travel to the driver and stay with the results."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Said = Callable[[], list[str]]


@contextmanager
def warned() -> Iterator[Said]:
    """Keep warnings in a block instead of printing them; what it gives tells those that came until then, each once.

    Only voxplain's own, as on the command line: those of libraries are not the user's to mend.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", module=r"voxplain(\.|$)")
        yield lambda: list(dict.fromkeys(" ".join(str(w.message).split()) for w in caught))
