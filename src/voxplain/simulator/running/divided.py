"""The two groups that a column of the table divides subjects into."""

from __future__ import annotations

from voxplain.errors import InputError, suggest
from voxplain.inherent.data import Samples
from voxplain.simulator.settings.config import GroupSettings


def divided_by(asked: GroupSettings, samples: Samples) -> tuple[str, str] | None:
    """The two values of the column; None where no column is asked for.

    Raises:
        InputError: no such column or value, or other than two.
    """
    if asked.by is None:
        return None
    known = sorted({key for sample in samples for key in sample.meta})
    if asked.by not in known:
        raise InputError(f"group.by: found {asked.by!r}; {suggest(asked.by, known)}")
    there = sorted({str(s.meta[asked.by]) for s in samples if asked.by in s.meta})
    for value in asked.values or ():
        if value not in there:
            raise InputError(f"group.values: found {value!r}; {suggest(value, there)}")
    values = asked.values or tuple(there)
    if len(values) != 2:
        raise InputError(
            f"group.by: {asked.by} has {len(there)} values ({', '.join(there[:5])}), expected two; name them "
            "in group.values"
        )
    return values[0], values[1]
