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
# TorchScript, ``.pt2``, MONAI bundles and nnU-Net folders are taken as they are, see the guide on nnU-Net.

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import voxplain as vx
from voxplain.case import to_axes_of
from voxplain.demo import TISSUE_CLASSES, tissue_weights, with_tissues
from voxplain.metric import MprtAbsolute
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
# 5. One case: maps, prediction, page
# -----------------------------------
#
# What ``voxplain explain`` does. The folder then holds the maps in the scan's own geometry, the prediction, a
# table, and a page that opens from disk without network.

settings = vx.load_settings(
    flags={
        "image": [str(folder / "scans" / "brain-2.nii.gz")],
        "label": str(folder / "tissue-2.nii.gz"),
        "model": {"source": f"{folder}/nets.py:tissue", "weights": str(tissue_weights()), "classes": list(TISSUE_CLASSES)},
        "prepare": {"orientation": "RAS", "spacing": 2.0, "scale": "percentile", "percentiles": [0.0, 99.5],
                    "crop": "foreground", "margin": 4, "divisible": 16},
        "targets": ["grey matter"],
        "methods": ["gradient", "guided_backprop"],
        "out": str(folder / "out"),
    }
)  # fmt: skip
assert vx.explain(settings) == 0
print(*sorted(p.name for p in (folder / "out").iterdir()))

# %%
# .. gallery-page:: explain
#
# 6. Which of the two maps may be shown?
# --------------------------------------
#
# Draw the network's weights anew, and ask again. A map that stays what it was does not show what the network
# has learned. The plain gradient depends on all weights, so it sets the mark: a method is suspicious where its
# maps stay more alike than the gradient's.

attributions = [vx.method(name).attribute(problem) for name in ("gradient", "guided_backprop")]
found = vx.evaluate(problem, attributions, [MprtAbsolute(steps=2)])
likeness = {m: found.value("mprt_absolute", m) for m in ("gradient", "guided_backprop")}
for name, value in likeness.items():
    print(f"{name:18}likeness to maps of redrawn networks {value:.2f}")
assert likeness["guided_backprop"] < likeness["gradient"]

# %%
# Here guided backpropagation is not above the mark. On the network of the gallery's first page it is, and fails.
# A verdict is about a method *on a network*; take none over from a paper, nor from this page.
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
# The gallery's first page runs such a study to its verdicts. The catalogues say what each method's map means
# and does not mean, and what each metric can tell.

# sphinx_gallery_start_ignore
from voxplain_docs import keep  # noqa: E402

keep(folder / "out" / "report.html", "explain")
# sphinx_gallery_end_ignore
