"""What tables call the targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxplain.target.scene import slug

if TYPE_CHECKING:
    from voxplain.engine import Problem


def target_names(problem: Problem) -> tuple[str, ...]:
    """Names of the targets: a class's own one where the target is the class, which is also that of its region."""
    return tuple(target_name(t.name, t.class_name) for t in problem.targets)


def target_name(name: str, class_name: str) -> str:
    """The name of one target.

    Args:
        name: safe as a file's, as problems and studies know it.

    >>> target_name("kidney-left", "kidney left"), target_name("boundary-liver-2mm", "liver")
    ('kidney left', 'boundary-liver-2mm')
    """
    return class_name if name == slug(class_name) else name
