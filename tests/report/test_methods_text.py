"""The paragraph for a paper and the limits say what was run, and no more."""

from __future__ import annotations

import pytest

from voxplain.report import Page, render
from voxplain.report.identity import without_folders, without_series
from voxplain.report.limits import Ran, limits
from voxplain.report.methods_text import Described, paragraph
from voxplain.report.page import Predicted
from voxplain.report.prediction import of_classes, sentences
from voxplain.settings.prepare import PrepareSettings
from voxplain.study.prepared_words import prepared_words

METHOD = (
    "Integrated gradients",
    {"nodes": 8, "baseline": None},
    "Sundararajan et al. 2017, arXiv:1703.01365",
)
METRIC = (
    "Deletion",
    {"steps": 16},
    "Petsiuk et al. 2018, arXiv:1806.07421",
    ["a map of zeros", "5 random maps"],
)


def described(**more) -> Described:
    return Described(
        models={"unet": {"weights SHA-256": "ab12", "parameters": 1234567, "about": "trained on 40 heads"}},
        prepare={"unet": ["resampled to 1 mm", "cropped to the foreground"]},
        targets=["Hippocampus"],
        score="log_probability",
        methods=[METHOD],
        seed=7,
        versions={"voxplain": "0.1.0", "torch": "2.13"},
        **more,
    )


def test_the_paragraph_names_all_that_decides_a_result() -> None:
    text = paragraph(described(metrics=[METRIC], cases=12, rule="Cases were compared."))
    for told in (
        "unet with 1,234,567 parameters (weights SHA-256 ab12), trained on 40 heads", "resampled to 1 mm",
        "log probability of Hippocampus", "nodes 8, baseline default", "deletion", "a map of zeros and 5 random maps",
        "On 12 images", "Cases were compared.", "voxplain 0.1.0 (torch 2.13)", "random seed 7",
        "[1] Sundararajan et al. 2017, arXiv:1703.01365", "[2] Petsiuk et al. 2018, arXiv:1806.07421",
    ):  # fmt: skip
        assert told in text
    assert "not validated" not in text


def test_what_was_not_validated_is_said_so() -> None:
    assert "The maps were not validated." in paragraph(described())


def test_limits_follow_from_what_was_run() -> None:
    bare = " ".join(limits(Ran(judged=True, cases=9)))
    assert "no detector" in bare
    for absent in ("Small region", "No metric", "One case", "baseline", "windows", "add up", "another grid"):
        assert absent not in bare
    told = " ".join(
        limits(
            Ran(
                methods={"ig": {"baseline": "blur"}, "deep_lift": {"baseline": None}},
                small={"lesion": "0.2 ml"},
                meanings={"grad_cam": "rank", "gradient": "slope", "ig": "share"},
                resampled=True,
                windows=12,
            )
        )
    )
    for said in (
        "lesion (0.2 ml)", "No metric was asked for", "One case", "ig: relative to the baseline blur",
        "deep_lift: relative to the default baseline", "grad_cam: values do not add up", "12 windows", "another grid",
    ):  # fmt: skip
        assert said in told


def test_a_classifier_s_confidence_in_words() -> None:
    """Of logits 0 and ln 3 the probabilities are 1/4 and 3/4: 50 points apart, and 0.811 bit."""
    rows = of_classes(["no", "yes"], [0.0, 1.0986123], "softmax")
    first, second = sentences(rows, "softmax")
    assert first.startswith("The model says yes with a probability of 75 %, 50 percentage points before no")
    assert "Entropy 0.81 bit of at most 1.00" in first
    assert "not calibrated on your data" in second
    (several, _) = sentences(of_classes("abc", [2.0, -1.0, 0.5], "sigmoid"), "sigmoid")
    assert several.startswith("Found (probability above 50 %): a, c.")


def test_a_segmentation_s_confidence_in_words() -> None:
    told = sentences((Predicted("liver", 9, 1.0, inside=0.9, doubtful=0.2),), "softmax", disagreement=0.412)
    assert "not calibrated" in told[0]
    assert told[-1].startswith("Where windows overlap, they disagree about 41 %")
    assert sentences((Predicted("liver", 9, 1.0),), "softmax") == ()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("/data/Doe Jane/t1.nii.gz", "t1.nii.gz"),
        ("/a/nets.py:unet", "nets.py:unet"),
        ("mask:lesion:/a/b/m.nii@margin", "mask:lesion:m.nii@margin"),
        ("case:/x/y.nii", "case:y.nii"),
        ("infill:6", "infill:6"),
        (".", "."),
        ("a text / with a slash", "a text / with a slash"),
    ],
)
def test_pages_name_files_without_their_folders(given: str, shown: str) -> None:
    assert without_folders({"a": [given]}) == {"a": [shown]}
    assert without_series({"image": [given]}, [True]) == {"image": ["DICOM series"]}


def test_a_probability_is_never_told_as_certain_and_a_range_is_no_size() -> None:
    rows = of_classes(["a", "b"], [0.0, 9.0], "softmax")
    text = render(Page("c", "m", predicted=rows, confidence=sentences(rows, "softmax")))
    assert "100 %" not in text and "100 percentage" not in text
    assert text.count("above 99.9 %") == 2  # the sentence and the table
    assert prepared_words(PrepareSettings(scale=(-160, 240), spacing=(1, 1, 2.5))) == [
        "resampled to 1.0 × 1.0 × 2.5 mm",
        "intensities scaled (−160 to 240 onto 0 to 1, clipped)",
    ]
