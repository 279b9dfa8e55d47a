"""What tables call the targets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from voxplain.target.scene import slug

if TYPE_CHECKING:
    from voxplain.engine import Problem


def target_names(problem: Problem) -> tuple[str, ...]:
    """Names of the targets: a class's own one where the target is the class, which is also that of its region."""
    return names_of([(t.name, t.class_name) for t in problem.targets])


def names_of(targets: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The same of names, safe as a file's, as problems and studies know them, and of the targets' classes.

    Classes whose names are the same as a file's are told apart by numbers there, and by their own names here.

    >>> names_of([("kidney-left", "kidney left"), ("boundary-liver-2mm", "liver")])
    ('kidney left', 'boundary-liver-2mm')
    >>> names_of([("a-b", "a/b"), ("a-b-2", "a b"), ("a-b-3", "a/b")])
    ('a/b', 'a b', 'a-b-3')
    """
    given = {name for name, _ in targets}
    found: list[str] = []
    for name, of in targets:
        is_class = re.fullmatch(re.escape(slug(of)) + r"(-\d+)?", name) is not None
        is_free = of not in found and (of == name or of not in given)
        found.append(of if is_class and is_free else name)
    return tuple(found)
