"""Mistakes in the settings of a study: one line each, all at once, before any process is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from voxplain.study.running.local import LocalCrew

GOOD = {
    "models": "{a: nets.py:unet}",
    "cases": "[scan.nii.gz]",
    "methods": "[gradient]",
    "metrics": "[complexity]",
    "out": "out",
}


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a mistake is seen only when work has begun."""

    def start(*_: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(LocalCrew, "start", start)


def write(**settings: str) -> None:
    lines = [f"{key}: {value}" for key, value in {**GOOD, **settings}.items() if value]
    Path("study.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def told(ran: object) -> list[str]:
    """The lines of a run that was refused, without what stands before each."""
    assert ran.code == 2, ran.err
    assert "Traceback" not in ran.err
    assert not Path("out").exists()
    lines = ran.complaints
    assert all(line.startswith("voxplain: ") for line in lines), ran.err
    return [line.removeprefix("voxplain: ").removeprefix("study.yaml: ") for line in lines]


@pytest.mark.parametrize(
    ("settings", "path", "says"),
    [
        (
            {"models": "{a: {source: nets.py:unet, wieghts: w.pt}}"},
            "models.a.wieghts",
            "did you mean 'weights'",
        ),
        ({"models": "{a: {source: nets.py:unet, windows: {rio: 3}}}"}, "models.a.windows.rio", "'roi'"),
        (
            {"models": "{a: {weights: nets.py}}"},
            "models.a.source",
            "is needed: the network: file.py:function",
        ),
        ({"models": "{a: }"}, "models.a", "found None, expected keys: source, "),
        ({"models": "{a: 5}"}, "models.a", "found 5, expected keys: source, "),
        ({"models": "[]"}, "models", "found [], expected a name and its settings"),
        ({"models": "nets.py:unet"}, "models", "found 'nets.py:unet', expected a name and its settings"),
        ({"models": "{}"}, "models", "is empty, expected at least one"),
        ({"models": ""}, "models", "is needed: a name and settings for each network"),
        ({"models": "{1: nets.py:unet}"}, "models.1", "found the name 1, expected text; put it in quotes"),
        ({"models": "{a/b: nets.py:unet, a-b: nets.py:unet}"}, "models", "2 are called 'a/b' and 'a-b'"),
        ({"models": "{a: {source: nets.py:unet, weights: w.pt}}"}, "models.a.weights", "w.pt does not exist"),
        (
            {"models": "{a: {source: nets.py:unet, prepare: {scale: minmx}}}"},
            "models.a.prepare.scale",
            "'minmax'",
        ),
        ({"models": "{a: {source: nets.py:unet, targets: 'boundry:1'}}"}, "models.a.targets.0", "'boundary'"),
        ({"cases": "[scna.nii.gz]"}, "cases.0.image.0", "did you mean 'scan.nii.gz'"),
        ({"cases": "[{image: scan.nii.gz, lable: x}]"}, "cases.0.lable", "did you mean 'label'"),
        ({"cases": "[{image: scan.nii.gz, label: x.nii}]"}, "cases.0.label", "x.nii does not exist"),
        ({"cases": "[{label: scan.nii.gz}]"}, "cases.0.image", "is needed: NIfTI, DICOM"),
        ({"cases": "[{image: scan.nii.gz, slice: 40}]"}, "cases.0.slice", "found 40"),
        ({"cases": "[{image: 'sacn{id}.nii.gz'}]"}, "cases.0.image", "nothing fits"),
        ({"cases": "'sacn{id}.nii.gz'"}, "cases.0.image", "nothing fits"),
        (
            {"cases": "[scan.nii.gz, scan.nii.gz]"},
            "cases",
            "2 are called 'scan'; give each a name of its own, id:",
        ),
        ({"cases": "5"}, "cases", "found 5, expected a list"),
        ({"cases": "[]"}, "cases", "is empty, expected at least one"),
        ({"cases": ""}, "cases", "is needed: a list"),
        ({"cases": "gone.csv"}, "cases", "gone.csv cannot be read (No such file or directory)"),
        ({"methods": "[gradiant]"}, "methods.0", "did you mean 'gradient'"),
        ({"methods": "['smoothgrad:drwas=3']"}, "methods.0", "'draws'"),
        ({"methods": "[]"}, "methods", "found none, and no regions"),
        ({"methods": "['all:family=cma']"}, "methods.0", "did you mean 'cam'"),
        ({"metrics": "[delection]"}, "metrics.0", "did you mean 'deletion'"),
        ({"metrics": "['road:infil=mean']"}, "metrics.0", "'infil'"),
        ({"metrics": "[{name: deletion, steps: many}]"}, "metrics.0", "'many'"),
        ({"metrics": "['all:family=axim']"}, "metrics.0", "did you mean 'axiom'"),
        ({"metrics": "[road, deletion, Road]"}, "metrics", "metric 'road' is there 2 times, expected once"),
        ({"targets": "['boundry:1']"}, "targets.0", "did you mean 'boundary'"),
        ({"score": "logits"}, "score", "'logit'"),
        ({"run": "{worker: 2}"}, "run.worker", "did you mean 'workers'"),
        ({"run": "5"}, "run", "found 5, expected keys: workers, "),
        ({"run": "{workers: many}"}, "run.workers", "found 'many', expected auto or a number above 0"),
        ({"run": "{workers: 1.5}"}, "run.workers", "found 1.5, expected auto"),
        ({"run": "{workers: true}"}, "run.workers", "found True, expected auto"),
        ({"run": "{threads: 0}"}, "run.threads", "found 0"),
        ({"run": "{memory: .nan}"}, "run.memory", "found nan, expected auto, unlimited or a number above 0"),
        ({"run": "{memory: much}"}, "run.memory", "found 'much', expected auto, unlimited or a number"),
        ({"run": "{timeout: 0}"}, "run.timeout", "found 0; input should be greater than 0"),
        ({"run": "{devices: [gpu]}"}, "run.devices.0", "found 'gpu', expected auto, cpu, cuda:0"),
        ({"run": "{devices: []}"}, "run.devices", "is empty"),
        ({"seed": str(2**70)}, "seed", "less than"),
        ({"maps": "{format: dicom}"}, "maps.format", "'nii.gz'"),
        ({"compare": "{alpha: 1}"}, "compare.alpha", "less than 1"),
        ({"nulls": "0"}, "nulls", "greater than or equal to 1"),
        ({"titel": "x"}, "titel", "did you mean 'title'"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_with_its_path(
    folder: Path, voxplain: Callable[..., object], settings: dict[str, str], path: str, says: str
) -> None:
    write(**settings)
    (line,) = told(voxplain("study", "study.yaml"))
    assert line.startswith(f"{path}: "), line
    assert says in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--shard", "3/2"), "found 3/2, expected k/n with k from 1 to n"),
        (("--shard", "0/0"), "found 0/0"),
        (("--shard", "1/0"), "found 1/0"),
        (("--shard", "x"), "--shard: found 'x', expected K/N such as 2/8"),
        (("--shard", "1/-2"), "--shard: found '1/-2'"),
        (("--set", "run.workers=0"), "run.workers: found 0, expected auto or a number above 0, such as 2"),
        (("--set", "run.workers=-3"), "run.workers: found -3"),
        (("--workers", "0"), "run.workers: found '0'"),
        (("--memory", "-1"), "run.memory: found '-1'"),
        (("--set", "run.memory=-1"), "run.memory: found -1, expected auto, unlimited or a number above 0"),
        (("--timeout", "soon"), "run.timeout: found 'soon'"),
        (("--threads", "none"), "run.threads: found 'none'"),
        (("--set", "models.a.wieghts=w.pt"), "models.a.wieghts: unknown key; did you mean 'weights'?"),
        (("--set", "run"), "--set 'run': expected a.b=value"),
        (("--sett", "run"), "--sett"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(
    folder: Path, voxplain: Callable[..., object], words: tuple[str, ...], says: str
) -> None:
    write()
    (line,) = told(voxplain("study", "study.yaml", *words))
    assert says in line


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_all_mistakes_are_told_at_once(
    folder: Path, voxplain: Callable[..., object], dry: tuple[str, ...]
) -> None:
    """Also those in what is spelled out, such as patterns, beside those that the sections check."""
    write(
        models="{a: {source: nets.py:unet, wieghts: w.pt}, b: {}}",
        cases="['sacn{id}.nii.gz', gone.nii.gz, {image: scan.nii.gz, lable: x}, 'c{id}.nii']",
        methods="[gradiant, 'smoothgrad:draws=x']",
        metrics="[road, road]",
    )
    lines = told(voxplain("study", "study.yaml", "--set", "run.workers=0", *dry))
    assert [line.partition(":")[0] for line in lines] == [
        "cases.0.image",
        "cases.3.image",
        "models.a.wieghts",
        "models.b.source",
        "cases.1.image.0",
        "cases.2.lable",
        "methods.0",
        "methods.1",
        "metrics",
        "run.workers",
    ]


def test_a_table_without_images_is_told_with_the_other_mistakes(
    folder: Path, voxplain: Callable[..., object]
) -> None:
    Path("cases.csv").write_text("imgae,sex\nscan.nii.gz,f\n", encoding="utf-8")
    write(cases="cases.csv", metrics="[delection]")
    table, metric = told(voxplain("study", "study.yaml"))
    assert table.startswith("cases: ")
    assert "cases.csv has no column image; did you mean 'imgae'?" in table
    assert metric.startswith("metrics.0: ")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("gone.yaml", None, ["gone.yaml: cannot be read (No such file or directory)"]),
        ("empty.yaml", "", ["models: is needed", "cases: is needed"]),
        ("comment.yaml", "# nothing yet\n", ["models: is needed", "cases: is needed"]),
        ("list.yaml", "- a\n", ["found a list"]),
        ("broken.yaml", "models: {a: [\n", ["is not YAML"]),
        ("twice.yaml", "seed: 1\nseed: 2\n", ["'seed' is given twice"]),
    ],
)
def test_files_that_are_no_settings(
    folder: Path, voxplain: Callable[..., object], name: str, content: str | None, says: list[str]
) -> None:
    if content is not None:
        Path(name).write_text(content, encoding="utf-8")
    lines = told(voxplain("study", name))
    assert len(lines) == len(says)
    for line, part in zip(lines, says, strict=True):
        assert name in line
        assert part in line


def test_a_file_in_place_of_the_folder_of_results(folder: Path, voxplain: Callable[..., object]) -> None:
    Path("taken").write_text("mine", encoding="utf-8")
    write(out="taken")
    (line,) = told(voxplain("study", "study.yaml"))
    assert "is a file" in line
    assert Path("taken").read_text(encoding="utf-8") == "mine"


def test_good_settings_come_as_far_as_a_worker(folder: Path, voxplain: Callable[..., object]) -> None:
    """Otherwise nothing above would show that it is the mistake that is refused."""
    write()
    ran = voxplain("study", "study.yaml")
    assert "a worker was started" in ran.err
