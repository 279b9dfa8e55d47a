"""What is said of an answer whose random draws do not agree with each other."""

from __future__ import annotations

# Halves of the draws that agree less than this are said to.
DOUBTFUL = 0.5


def doubt(agreement: float, least: float = DOUBTFUL, remedy: str = "ask for more of them") -> str:
    """A remark, for the end of a note, where the two halves of the draws say different things.

    >>> doubt(0.31)
    '; two halves of the draws agree by only 0.31: ask for more of them'
    """
    if not agreement < least:
        return ""
    return f"; two halves of the draws agree by only {agreement:.2f}: {remedy}"
