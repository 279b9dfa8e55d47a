"""
For the data scientist: your network, your scans
================================================

You have a network and a folder of NIfTI files. You want maps, and to know which of them may be shown.

This page does it with a small network for brain tissue whose weights come with voxplain, and with phantoms of
brains in place of scans. Put your own file and folder in their place; nothing else changes.
"""

# %%
# 1. The network, as a file
# -------------------------
#
# A Python file with a function that returns the network, and its weights (safetensors, or a state dict).
# TorchScript, ``.pt2``, MONAI bundles and folders of :doc:`nnU-Net </nnunet>` are taken as
# they are.

import csv
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import voxplain as vx
from voxplain.case import to_axes_of
from voxplain.demo import TISSUE_CLASSES, tissue_weights, with_tissues
from voxplain.phantom import brain

folder = Path(tempfile.mkdtemp())
(folder / "nets.py").write_text("""
from voxplain.demo import tissue_network

def tissue():
    return tissue_network()
""")

# %%
# 2. The scans
# ------------
#
# Three brains as NIfTI, each with the true tissue beside it. The third lies in the file in another
# orientation, as scans do.

(folder / "scans").mkdir()
for number, orientation in enumerate(("RAS", "RAS", "LIA")):
    case = with_tissues(brain((56, 64, 24), seed=500 + number, spacing=3.0, scale=1.0, skull=False))
    if orientation != "RAS":
        turned = brain((4, 4, 4), seed=0, orientation=orientation).geometry
        image, geometry = to_axes_of(case.image, case.geometry, turned)
        label, _ = to_axes_of(case.label[None], case.geometry, turned)
        case = replace(case, image=image, label=label[0], geometry=geometry)
    vx.write_case(folder / "scans" / f"brain-{number}.nii.gz", case)
    vx.write_array(folder / f"tissue-{number}.nii.gz", case.label.astype(np.uint8), case.geometry)

case = vx.read_case(folder / "scans" / "brain-2.nii.gz", label=folder / "tissue-2.nii.gz")
print(case)
print(case.geometry.orientation, case.geometry.spacing)

# %%
# 3. The preparation, and what a wrong one looks like
# ---------------------------------------------------
#
# The network was trained on RAS, 2 mm, intensities scaled between the percentiles 0 and 99.5, cropped to the
# head. A file says none of this; you do. A wrong preparation raises no error: the network answers, and every
# map of that answer looks like a map. So measure first.

RIGHT = vx.Preparation(
    orientation="RAS", spacing=2.0, scale="percentile", percentiles=(0.0, 99.5), crop="foreground",
    margin=4, divisible=16,
)  # fmt: skip
WRONG = {
    "no scaling": replace(RIGHT, scale=None),
    "z-scored": replace(RIGHT, scale="zscore"),
    "no spacing": replace(RIGHT, spacing=None),
}


def loaded(preparation: vx.Preparation) -> vx.Model:
    """The network behind a preparation."""
    return vx.load_model(
        f"{folder}/nets.py:tissue", tissue_weights(), classes=TISSUE_CLASSES, prepare=preparation
    )


def mean_dice(preparation: vx.Preparation) -> float:
    """Over the three tissues, against the truth, on the scan's own grid."""
    asked = vx.Problem(loaded(preparation), case, ["grey matter"])
    found = asked.prepared.restore(asked.prediction.labels[None].float(), mode="nearest")[0]
    scores = [
        2 * ((found == k) & (case.label == k)).sum() / max((found == k).sum() + (case.label == k).sum(), 1)
        for k in (1, 2, 3)
    ]
    return float(np.mean(scores))


dice = {"right": mean_dice(RIGHT)} | {name: mean_dice(wrong) for name, wrong in WRONG.items()}
for name, value in dice.items():
    print(f"{name:16}mean Dice {value:.2f}")
assert dice["right"] > 0.75
assert dice["right"] - dice["no scaling"] > 0.3

# %%
# This network needs its intensities scaled as it was taught, and does not mind the voxels' size much. Another
# one is the other way round; nothing but a measurement tells. A Dice that is some points lower than in your
# own evaluation is the sign.
#
# 4. Targets: why *what*?
# -----------------------
#
# A map answers one question. Which one is the target's text; the score is the mean logit over the target's
# region unless you say otherwise.

model = loaded(RIGHT)
targets = ["grey matter", "grey matter@margin", "boundary:fluid:4", "voxel:28,32,12"]
problem = vx.Problem(model, case, targets[:3])
for resolved, score in zip(problem.targets, problem.clean_scores().tolist(), strict=True):
    print(f"{resolved.name:24}{score:+.2f}")
print(vx.parse_target(targets[3], task="segmentation"))

# %%
# 5. One case: maps, tests, page
# ------------------------------
#
# What ``voxplain explain --metrics quick`` does. The folder then holds the maps in the scan's own geometry, the
# prediction, tables, and a page that opens from disk without network. ``quick`` are the few metrics that a
# light on one case needs: does the score follow the map, does the map change with the network's weights, and
# does rounding the image leave it as it is?

settings = vx.load_settings(
    flags={
        "image": [str(folder / "scans" / "brain-2.nii.gz")],
        "label": str(folder / "tissue-2.nii.gz"),
        "model": {"source": f"{folder}/nets.py:tissue", "weights": str(tissue_weights()), "classes": list(TISSUE_CLASSES)},
        "prepare": {"orientation": "RAS", "spacing": 2.0, "scale": "percentile", "percentiles": [0.0, 99.5],
                    "crop": "foreground", "margin": 4, "divisible": 16},
        "targets": ["grey matter"],
        "methods": ["gradient", "guided_backprop"],
        "metrics": ["quick"],
        "out": str(folder / "out"),
    }
)  # fmt: skip
assert vx.explain(settings) == 0
print(*sorted(p.name for p in (folder / "out").iterdir()))

# %%
# .. gallery-page:: explain
#
# :doc:`/report` says what each part of the page rests on.
#
# 6. Which of the two maps may be shown?
# --------------------------------------
#
# The page has a light per method, by its worst test. The figures behind it are in ``metrics.csv``, each beside
# maps that know nothing of the network.

with (folder / "out" / "metrics.csv").open(newline="") as file:
    rows = {(row["metric"], row["method"]): row for row in csv.DictReader(file)}


def figure(metric: str, method: str, column: str = "value") -> float:
    """One figure of the table; ``null_edges`` is that of the image's edges."""
    return float(rows[metric, method][column])


for name in ("gradient", "guided_backprop"):
    follows = figure("faithfulness_correlation", name)
    edges = figure("faithfulness_correlation", name, "null_edges")
    likeness = figure("mprt_absolute", name)
    print(f"{name:18}follows the score {follows:.2f} (edges {edges:.2f}), likeness to redrawn {likeness:.2f}")
assert (
    figure("faithfulness_correlation", "gradient")
    < edges
    < figure("faithfulness_correlation", "guided_backprop")
)
assert figure("mprt_absolute", "guided_backprop") < figure("mprt_absolute", "gradient")

# %%
# Neither light is green. The gradient's is red: where the image has edges tells more of this network's score
# than the gradient does. Guided backpropagation's is yellow: it is ahead of the edges, but with 32 draws on one
# case that may be chance. *Likeness* is that of the map to maps of the network with its weights drawn anew. A
# map that stays what it was does not show what the network has learned; the plain gradient depends on all
# weights, so it sets the mark, and guided backpropagation is not above it. On the network of the gallery's first
# page it is, and fails. A verdict is about a method *on a network*; take none over from a paper, nor from this
# page.
#
# One case decides nothing; it only tells where to look. A study over many cases gives a verdict per method.
# It says what it would cost before it starts:

(folder / "study.yaml").write_text(f"""
models:
  tissue: {{source: "nets.py:tissue", weights: "{tissue_weights()}",
           classes: [background, fluid, grey matter, white matter],
           prepare: {{orientation: RAS, spacing: 2, scale: percentile, percentiles: [0, 99.5], crop: foreground,
                     margin: 4, divisible: 16}}}}
cases: [{{image: "scans/brain-{{id}}.nii.gz", label: "tissue-{{id}}.nii.gz"}}]
targets: [grey matter]
methods: [gradient, "integrated_gradients:nodes=8,baseline=blur", guided_backprop]
metrics: [deletion, mprt_absolute]
out: results
""")
vx.run_study(vx.load_study(folder / "study.yaml"), dry_run=True)

# %%
# The gallery's first page runs such a study to its verdicts. The catalogues of :doc:`methods </methods/README>`
# and :doc:`metrics </metrics/README>` say what each method's map means and does not mean, and what each metric
# can tell.
#
# 7. Hand it on
# -------------
#
# To a paper: a sheet in millimetres, with text that stays text, and a caption that says what was done to the
# numbers (``voxplain figure``, :doc:`/figures`).

drawing = vx.figure_grid(
    folder / "out",
    at=(0, 0, 6),  # mm; outlines of all the folds would hide the maps
    outlines=False,
    names={"guided_backprop": "guided backpropagation"},
    path=folder / "figure.pdf",
)
print(drawing.caption)

# sphinx_gallery_start_ignore
import io  # noqa: E402

from matplotlib import pyplot as plt  # noqa: E402

from voxplain.report import png  # noqa: E402

drawn = plt.imread(io.BytesIO(png(drawing)))
sheet = plt.figure(figsize=(drawn.shape[1] / 130, drawn.shape[0] / 130), dpi=130)
sheet.add_axes((0, 0, 1, 1)).imshow(drawn)
sheet.axes[0].axis("off")
# sphinx_gallery_end_ignore

# %%
# To people, who open the folder of ``explain`` or of a study in their browser, every case and map in full
# resolution, and write notes; with ``--blinded`` they rate maps without the methods' names (:doc:`/view`):
#
# .. code-block:: bash
#
#    voxplain view out
#    voxplain view results --blinded --reader "Dr. Adams"
#
# To a clinic's viewers, where the scan came as a DICOM series: objects that refer to it, de-identified unless
# asked otherwise (:doc:`/dicom`):
#
# .. code-block:: bash
#
#    voxplain dicom out --source series --out objects
#
# Whoever reads the page finds its words explained in the tutorial for clinicians.

# sphinx_gallery_start_ignore
from voxplain_docs import keep  # noqa: E402

keep(folder / "out" / "report.html", "explain")
# sphinx_gallery_end_ignore
