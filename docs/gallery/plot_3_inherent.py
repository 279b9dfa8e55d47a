"""
A classifier whose map is the decision
======================================

**Question.** A classifier is taught one word per image: healthy, or tumour. Where did it see the tumour?
Methods that ask afterwards can be wrong about that. Here the network is built so that its map *is* the
decision: evidence per place, pooled to the logit.

Phantoms of heads are made on the spot. Every head has bright masses of the same outline; only the texture
inside tells a tumour from a decoy.
"""

# %%
# Images, a table, one YAML
# -------------------------
#
# The table has one row per image. Masks are never shown to the network: they are there to score its map.

import csv
import tempfile
from pathlib import Path

import duckdb
import numpy as np
from matplotlib import pyplot as plt

import voxplain as vx
from voxplain.inherent import (
    evaluate_inherent,
    load_inherent,
    predict_inherent,
    prepare_task,
    train_inherent,
)
from voxplain.phantom import TUMOUR_LABELS, tumours

folder = Path(tempfile.mkdtemp())
PARTS = ("train", "train", "train", "validation", "test")
with (folder / "heads.csv").open("w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["id", "image", "label", "patient", "mask", "part"])
    for number in range(200):
        kind = "ring" if number % 2 else "healthy"
        case = tumours((42, 48), seed=0, patient=number, kind=kind, site="north")
        vx.write_case(folder / f"head-{number:03d}.npz", case)
        mask = (case.label == TUMOUR_LABELS.index("lesion")).astype(np.uint8)
        vx.write_array(folder / f"mask-{number:03d}.npz", mask, case.geometry)
        rows.writerow(
            [f"head-{number:03d}", f"head-{number:03d}.npz", kind, f"p{number}", f"mask-{number:03d}.npz",
             PARTS[number // 2 % 5]]
        )  # fmt: skip

(folder / "heads.yaml").write_text("""
data: heads.csv
network: {name: gp_unet, pool: "topk:share=0.03", parameters: {widths: [16, 32], norm: batch}}
training:
  epochs: 24
  batch: 24
  learning_rate: 0.004
  schedule: one-cycle
  device: cpu
  progress: false
  augment: {rotate: 180, spatial_chance: 0.8}
predict: {device: cpu}
mask: {threshold: healthy}
evaluate: {draws: 100, thresholds: ["otsu", "oracle"]}
out: results
""")

# %%
# Train, predict, evaluate
# ------------------------
#
# The same three steps are ``voxplain inherent train``, ``predict`` and ``evaluate`` on the command line.

task = prepare_task(load_inherent(folder / "heads.yaml"))
train_inherent(task)
predict_inherent(task, progress=False)
evaluation = evaluate_inherent(task, progress=False)

# %%
# The decision, and the map that made it
# --------------------------------------

result = evaluation.result
accuracy = result.value(part="classification", metric="accuracy")
print(
    f"accuracy on {result.where(part='classification', metric='accuracy')[0]['patients']} patients: {accuracy:.2f}"
)
assert accuracy > 0.9

place = next(
    p
    for p in sorted((folder / "results" / "prediction" / "cases" / "test").iterdir())
    if "head-099" in p.name
)
image = vx.read_case(folder / "head-099.npz")
contribution = vx.read_case(place / "contribution.npz").image[task.samples.classes.index("ring")]
mask = vx.read_case(place / "mask.npz").image[0]
truth = vx.read_case(folder / "mask-099.npz").image[0]

figure, axes = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained")
limit = np.abs(contribution).max()
axes[0].imshow(image.image[0].T, cmap="gray", origin="lower")
axes[0].set_title("image, true tumour outlined")
axes[1].imshow(contribution.T, cmap="RdBu_r", vmin=-limit, vmax=limit, origin="lower")
axes[1].set_title("each place's share of the logit")
axes[2].imshow(mask.T, cmap="gray", origin="lower")
axes[2].set_title("its mask")
for axis in axes:
    axis.contour(truth.T, [0.5], colors="tab:orange", linewidths=1)
    axis.axis("off")
    axis.invert_xaxis()  # radiological: the patient's left is on the right

# %%
# The logit is the sum of these shares, nothing else. The table of predictions says how far they miss it:

sums = duckdb.sql(f"""
    SELECT id, class, logit, "evidence for", "evidence against", "evidence unexplained"
    FROM '{folder}/results/prediction/predictions.parquet' WHERE id = 'head-099'
""")
print(sums)
missed = max(abs(row[-1]) for row in sums.fetchall())
assert missed < 1e-4

# %%
# Whether to believe it
# ---------------------
#
# The network has seen no mask. Its map is scored against the true tumours, beside what knows nothing of the
# network: the image's own brightness, and the whole image. *PxAP* is the area under precision and recall of
# voxels, over all thresholds.

for score in ("class", "image intensity", "whole image"):
    print(f"PxAP of {score:16}{result.value(part='map', metric='pxap', score=score):.2f}")
for threshold, words in (("healthy", "from healthy images alone"), ("oracle", "told by the truth itself")):
    dice = result.value(
        part="localisation", metric="dice median", score="class", threshold=threshold, stratum="all"
    )
    print(f"median Dice, threshold {words}: {dice:.2f}")
assert result.value(part="map", metric="pxap", score="class") > 0.6
assert result.value(part="map", metric="pxap", score="image intensity") < 0.4

# %%
# The threshold *healthy* needs no mask: it is the height that healthy images do not reach. An oracle's figure
# is what the best threshold would have given; it is told apart everywhere, since nobody has it.
#
# The page, with every decision as a sum of its evidence:
#
# .. gallery-page:: inherent
#
# What it does not show
# ---------------------
#
# - That evidence lies where the tumour is. Nothing in the training asks for it: it may lie beside it, always
#   on the same side. Turned and mirrored images leave it no such side, and small receptive fields no room.
#   The figures above say how well it worked.
# - Why the texture speaks of a tumour. The map says where, and how much.
# - Forty phantoms of one site are an easy test. ``docs/inherent.md`` has real images, where it is harder.

# sphinx_gallery_start_ignore
# sphinx_gallery_thumbnail_number = 1
from voxplain_docs import keep  # noqa: E402

keep(folder / "results" / "evaluation" / "report.html", "inherent")
# sphinx_gallery_end_ignore
