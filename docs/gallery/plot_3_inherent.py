"""
A classifier whose map is the decision
======================================

**Question.** A classifier is taught one word per image: healthy, or tumour. Where did it see the tumour? Methods that ask
afterwards can be wrong about that. Here the network is built so that its map *is* the decision: evidence per place, pooled to
the logit.

Phantoms of heads are made on the spot. Every head has bright masses of the same outline; only the texture inside tells a tumour
from a decoy.
"""

# sphinx_gallery_thumbnail_number = 1
# %%
# Images, a table, one YAML
# -------------------------
#
# The table has one row per image. Masks are never shown to the network: they are there to score its map.

import csv
import tempfile
from pathlib import Path

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
print(f"accuracy on test patients: {accuracy:.2f}")
assert accuracy > 0.9

# sphinx_gallery_start_ignore
# sphinx_gallery_end_ignore
