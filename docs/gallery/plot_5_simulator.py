"""
What a classifier looks for, in millilitres
===========================================

**Question.** A classifier says "diseased". Which tissue would have to grow or shrink for it to say "healthy"? A
simulator learns to warp a scan, as little as suffices, until the classifier changes its mind. The Jacobian of
the warp is an answer in millilitres.

The truth is known: the disease of these phantoms enlarges a ventricle (on the left of the body) and shrinks a
nucleus (on the right), by a flow in closed form. The simulator is not told; it only asks the classifier.
"""

# %%
# Subjects with an atlas, and a classifier
# ----------------------------------------

import csv
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import torch
from matplotlib import pyplot as plt
from safetensors.torch import save_file

import voxplain as vx
from voxplain.phantom import diseased_subject
from voxplain.simulator import (
    explain_simulators,
    group_simulators,
    load_simulator,
    prepare_task,
    train_simulators,
)

folder = Path(tempfile.mkdtemp())
(folder / "nets.py").write_text('''
from torch import nn

def classifier():
    """(N, 1, R, A) -> logits of healthy and diseased."""
    def block(before, after):
        return [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*block(1, 8), *block(8, 16), *block(16, 24), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(24, 2))
''')
PARTS = ("train", "train", "train", "validation", "test")

people, truths = [], []
with (folder / "subjects.csv").open("w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["id", "image", "label", "patient", "part", "atlas"])
    for number in range(200):
        pair, ill = diseased_subject((32, 32), seed=0, subject=number), number % 2 == 1
        case, part = (pair.diseased if ill else pair.healthy), PARTS[number // 2 % 5]
        people.append((case, ill, part))
        if part == "test" and not ill:
            truths.append(
                pair.truth("disease")[1]
            )  # the log-Jacobian of the disease, on the healthy image's grid
        vx.write_case(folder / f"image-{number:03d}.nii.gz", case)
        vx.write_array(folder / f"atlas-{number:03d}.nii.gz", case.label.astype(np.uint8), case.geometry)
        label = "diseased" if ill else "healthy"
        rows.writerow(
            [
                f"s{number:03d}",
                f"image-{number:03d}.nii.gz",
                label,
                f"p{number}",
                part,
                f"atlas-{number:03d}.nii.gz",
            ]
        )

x = torch.stack([torch.from_numpy(case.image) for case, _, _ in people])
y = torch.tensor([int(ill) for _, ill, _ in people])
parts = np.array([part for _, _, part in people])
torch.manual_seed(0)
network = vx.load_model(f"{folder}/nets.py:classifier", classes=["healthy", "diseased"]).module.train()
network.requires_grad_(True)
optimiser = torch.optim.AdamW(network.parameters(), 0.006)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.006, total_steps=200)
draws = np.random.default_rng(0)
for _ in range(200):
    drawn = torch.from_numpy(draws.choice(np.flatnonzero(parts == "train"), 24, replace=False))
    loss = torch.nn.functional.cross_entropy(network(x[drawn]), y[drawn], label_smoothing=0.05)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
save_file(network.eval().state_dict(), str(folder / "classifier.safetensors"))
with torch.no_grad():
    test = torch.from_numpy(np.flatnonzero(parts == "test"))
    right = float((network(x[test]).argmax(1) == y[test]).float().mean())
print(f"right in {right:.0%} of the test images")
assert right > 0.9

# %%
# A simulator of what it looks for
# --------------------------------

(folder / "simulate.yaml").write_text("""
data: subjects.csv
classifier: {source: "nets.py:classifier", weights: classifier.safetensors, classes: [healthy, diseased],
             spatial_dims: 2}
network: {parameters: {widths: [8, 16]}}
training: {epochs: 30, batch: 16, learning_rate: 0.006, device: cpu, progress: false}
seeds: [0]
explain: {device: cpu, cases: 4, atlas: {names: {1: body, 2: ventricle, 3: nucleus}}}
group: {permutations: 999}
out: results
""")
task = prepare_task(load_simulator(folder / "simulate.yaml"))
train_simulators(task)
explain_simulators(task)
page = group_simulators(task)

# %%
# The group map, beside the truth
# -------------------------------
#
# The logarithm of the volume change, over the healthy subjects of the test part on their way to "diseased":
# 0.1 grows by a tenth.

mean = (
    vx.read_case(folder / "results" / "group" / "healthy-towards-diseased" / "mean.nii.gz").image[0].squeeze()
)
truth = np.mean(truths, axis=0).squeeze()
figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
limit = np.abs(truth).max()
for axis, values, title in zip(
    axes, (truth, mean), ("the disease", "what the classifier looks for"), strict=True
):
    drawn = axis.imshow(values.T, cmap="RdBu_r", vmin=-limit, vmax=limit, origin="lower")
    axis.set_title(title)
    axis.axis("off")
    axis.invert_xaxis()  # radiological: the patient's left is on the right
    axis.text(0.98, 0.5, "L", transform=axis.transAxes, ha="right", color="tab:orange")
figure.colorbar(drawn, ax=axes, label="log-Jacobian")

agreement = float(np.corrcoef(truth.ravel(), mean.ravel())[0, 1])
print(f"correlation with the true log-Jacobian: {agreement:.2f}")
assert agreement > 0.6

# %%
# In millilitres, with permutation tests over patients
# ----------------------------------------------------
#
# ``p_any`` is corrected for any false alarm among the regions.

table = duckdb.sql(f"""
    SELECT test, region, subjects, round(percent, 1) AS percent, round(change, 2) AS ml, p_any
    FROM '{folder}/results/group/regions.parquet'
""")
print(table)
changes = {(test, region): percent for test, region, _, percent, _, _ in table.fetchall()}
assert changes["healthy towards diseased", "ventricle"] > 10
assert changes["healthy towards diseased", "nucleus"] < -10

# %%
# The classifier looks at both structures, and at the right direction of both. Whether it has the right size
# is another matter: the simulator goes as far as *this classifier* asks, not as far as the disease went.
#
# The page, with before and after, warp and Jacobian of single subjects:
#
# .. gallery-page:: simulator
#
# What it does not show
# ---------------------
#
# - What would happen to this patient. It is the classifier that is explained.
# - Anything that is not motion: a lesion that lights up, a mark, a scanner's noise. A classifier that looks
#   at those is not reached, or reached by warping what is near; the column ``reached`` tells, and the page
#   withholds maps that fold space.
# - One training is one answer. ``seeds: [0, 1, 2]`` asks whether trainings agree.

# sphinx_gallery_start_ignore
# sphinx_gallery_thumbnail_number = 1
from voxplain_docs import keep  # noqa: E402

keep(page, "simulator")
# sphinx_gallery_end_ignore
