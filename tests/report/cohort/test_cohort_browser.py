"""The cohort's page in a browser: cells that are read by keys and pointer, and tables that are filtered."""

from __future__ import annotations

import pytest
from chromium import Page, needs_chromium
from report.cohort.test_cohort_page import evil_page

from voxplain.report.cohort import write_cohort_page
from voxplain.report.viewer import assets

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(assets("cells") is None, reason="the script was not built (make viewer)"),
]
FIRST = "voxplainCells.drawings.find(d => d.querySelectorAll('.spots > g').length > 1)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("cohort")
    file = write_cohort_page(folder / "cohort.html", evil_page(folder))
    with Page(tmp_path_factory.mktemp("profile")) as browser:
        browser.open(file)
        browser.ask(f"window.matrix = {FIRST}; matrix.closest('details')?.setAttribute('open', '');")
        browser.ask("window.said = matrix.parentElement.nextElementSibling; window.titles = [...matrix.querySelectorAll("
                    "'.spots > g')].map(g => [...g.querySelectorAll('title')].map(t => t.textContent)); 1")  # fmt: skip
        yield browser


def test_arrows_go_from_cell_to_cell_and_say_the_numbers(page):
    page.ask("matrix.focus()")
    titles = page.ask("titles")
    for key, (row, column) in (
        ("ArrowRight", (0, 0)),
        ("ArrowRight", (0, 1)),
        ("ArrowDown", (1, 1)),
        ("ArrowLeft", (1, 0)),
    ):
        page.press(key)
        assert page.ask("said.textContent") == titles[row][column] != ""
    assert page.ask("matrix.querySelectorAll('.here').length") == 1
    assert page.ask("said.getAttribute('role')") == "status"


def test_a_pointer_reads_the_cell_below_it(page):
    x, y = page.ask(
        "(() => { matrix.scrollIntoView(); const b = matrix.querySelectorAll('.spots > g')[1].querySelector('rect')"
        ".getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    page.mouse("mouseMoved", x, y)
    assert page.ask("said.textContent") == page.ask("titles")[1][0]


def test_a_long_table_is_filtered(page):
    left = page.ask(
        "(() => { const label = document.querySelector('.filter'), field = label.querySelector('input');"
        "const rows = [...label.nextElementSibling.querySelectorAll('tbody tr')];"
        "const wanted = rows[0].cells[0].textContent; field.value = wanted; field.dispatchEvent(new Event('input'));"
        "const seen = rows.filter(r => !r.hidden); return [seen.length, rows.length,"
        "seen.every(r => r.textContent.includes(wanted)), label.querySelector('[role=status]').textContent]; })()"
    )
    assert 0 < left[0] <= left[1] and left[2] and left[3] == f"{left[0]} of {left[1]} rows"


def test_nothing_is_asked_for_and_nothing_complains(page):
    assert len(page.requests) == len([r for r in page.requests if r.startswith(("file:", "data:"))])
    assert page.complaints == []
