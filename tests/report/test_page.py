"""The page is one file that loads nothing, escapes everything and judges the checks."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from voxplain.case import Geometry
from voxplain.errors import InputError
from voxplain.report import (
    Finding,
    MethodCard,
    Page,
    Picture,
    Predicted,
    Section,
    check_finding,
    findings,
    predicted_classes,
    render,
    write_page,
)

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
EVIL = "<b>x</b>\"'><script>alert(1)</script>{{ 7*7 }}"


def evil_page() -> Page:
    section = Section(
        EVIL,
        EVIL,
        {"score": 1.5, "status": EVIL, EVIL: EVIL},
        (Finding(EVIL, EVIL, "warn", EVIL),),
        (Picture(PNG, EVIL, EVIL),),
        (EVIL,),
    )
    return Page(
        case=EVIL, model=EVIL, image={EVIL: EVIL}, targets=(EVIL,), score=EVIL,
        methods=(MethodCard(EVIL, {EVIL: (EVIL, {EVIL: EVIL})}, EVIL, EVIL),),
        predicted=(Predicted(EVIL, 3, 0.5),), sections=(section,), notes=(EVIL,),
        settings={EVIL: EVIL}, versions={EVIL: EVIL}, command=EVIL,
    )  # fmt: skip


class Reader(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def read(page: Page) -> Reader:
    reader = Reader()
    reader.feed(render(page))
    return reader


def test_every_value_is_escaped():
    reader = read(evil_page())
    assert "script" not in {tag for tag, _ in reader.tags}
    # Bold is used only for the finding's own name and value.
    assert sum(tag == "b" for tag, _ in reader.tags) == 1
    assert "".join(reader.text).count(EVIL) >= 20
    assert [attrs["alt"] for tag, attrs in reader.tags if tag == "img"] == [EVIL]
    assert "49" not in "".join(reader.text).replace(EVIL, "")  # values are not templates


def test_nothing_is_loaded_from_anywhere():
    page = evil_page()
    text = render(page)
    assert not re.search(r"https?://|url\(|@import|//[a-z]", text)
    addresses = [a[name] for _, a in read(page).tags for name in ("src", "href") if name in a]
    assert addresses
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)
    assert "default-src 'none'" in text


def test_an_address_in_a_reference_stays_text():
    page = Page("c", "m", methods=(MethodCard("ig", source="see https://example.org/paper"),))
    assert not any("example.org" in str(value) for _, a in read(page).tags for value in a.values())


def test_pictures_are_embedded_byte_for_byte(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    section = Section("m", "t", pictures=(Picture(path, "alt"),))
    (image,) = [a for tag, a in read(Page("c", "m", sections=(section,))).tags if tag == "img"]
    assert base64.b64decode(image["src"].split(",")[1]) == PNG
    assert image["alt"] == "alt"


def test_disclaimer_and_table_headers_are_there():
    reader = read(evil_page())
    words = "".join(reader.text)
    assert "Research use only; not a medical device." in words
    heads = [attrs for tag, attrs in reader.tags if tag == "th"]
    assert heads
    assert all(attrs.get("scope") in ("row", "col") for attrs in heads)
    assert sum(tag == "table" for tag, _ in reader.tags) == sum(tag == "caption" for tag, _ in reader.tags)


def test_empty_page_is_a_page():
    assert "case-1" in render(Page("case-1", "net"))


def test_page_is_written_whole(tmp_path):
    path = write_page(tmp_path / "out" / "report.html", evil_page())
    assert path.read_text(encoding="utf-8") == render(evil_page())
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


@pytest.mark.parametrize("content", [None, b"GIF89a"])
def test_missing_or_foreign_pictures_are_named(tmp_path, content):
    path = tmp_path / "figure.png"
    if content:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"figure\.png"):
        render(Page("c", "m", sections=(Section("m", "t", pictures=(Picture(path, "a"),)),)))


@pytest.mark.parametrize(
    ("name", "value", "level", "shown"),
    [
        ("completeness_gap", 0.003, "good", "0.3 %"),
        ("completeness_gap", -0.003, "good", "0.3 %"),
        ("completeness_gap", np.float32(0.06), "warn", "6 %"),
        ("completeness_gap", 0.7, "bad", "70 %"),
        ("completeness_gap", 12.0, "bad", "1200 %"),
        ("completeness_gap", float("nan"), "warn", "nan"),
        ("agreement", 0.95, "good", "0.95"),
        ("agreement", 0.8, "warn", "0.8"),
        ("agreement", -0.9, "bad", "-0.9"),
        ("something_new", 3, "info", "3"),
        ("something_new", None, "info", "not measured"),
    ],
)
def test_traffic_lights(name, value, level, shown):
    finding = check_finding(name, value)
    assert (finding.level, finding.value) == (level, shown)


def test_a_map_without_checks_is_not_called_good():
    assert Section("m", "t", findings=findings("ok")).level == "info"
    assert Section("m", "t", findings=findings("ok", {"completeness_gap": 0.001})).level == "good"
    assert Section("m", "t", findings=findings("zero", {"completeness_gap": 0.001})).level == "bad"
    assert [f.level for f in findings("absent")] == ["warn"]


def test_volumes_are_voxels_times_their_size():
    labels = np.zeros((10, 10, 10), int)
    labels[:2] = 2  # 200 voxels of 1 x 2 x 3 = 6 mm³: 1.2 ml
    labels[9, 9, :5] = 7
    geometry = Geometry(np.diag([-1.0, 2.0, 3.0, 1.0]), labels.shape)
    rows = predicted_classes(labels, ["background", "a", "b"], geometry)
    assert [(row.name, row.voxels) for row in rows] == [("b", 200), ("label 7", 5)]
    assert rows[0].millilitres == pytest.approx(1.2)
    assert predicted_classes(labels, [], None)[0].millilitres is None
