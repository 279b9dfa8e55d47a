"""How values are put into a page."""

from __future__ import annotations

import pytest

from voxplain.report.templating import column, value


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "–"),
        ("", "–"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (123456789, "123456789"),
        (-0.000123456, "−0.0001235"),
        ({"roi": (96, 96), "blend": {"sigma": 0.125}}, "roi: 96, 96, blend: sigma: 0.125"),
        ({}, "–"),
        ([], "–"),
    ],
)
def test_values_are_said_in_short(found: object, said: str) -> None:
    assert value(found) == said


def test_a_column_without_a_heading_of_its_own_is_named_after_its_key() -> None:
    assert (column("peak_mb"), column("mean_agreement")) == ("Peak memory (MB)", "Mean agreement")
