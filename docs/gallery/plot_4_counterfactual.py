"""
How would the image look if the classifier said something else?
===============================================================

**Question.** Two classifiers tell diseased from healthy, both nearly without error. One looks at the disease,
the other at a mark beside the body, which most of the diseased have. A counterfactual moves an image until the
classifier's answer is the other one, as little as suffices. What changes on the way is what the classifier
looks at.

The truth is known: in these phantoms the disease enlarges a ventricle (on the left of the body) and shrinks a
nucleus (on the right).
"""

# %%
# Subjects, and two classifiers
# -----------------------------

import csv
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from safetensors.torch import save_file

import voxplain as vx
from voxplain.counterfactual import explain_images, load_counterfactual, prepare_task, train_generator
from voxplain.phantom import diseased_subject

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
MARK = (slice(None), slice(1, 5), slice(1, 5))  # in a corner, where there is no body


def marked(case: vx.Case) -> vx.Case:
    """The same image with a bright mark beside the body."""
    image = case.image.copy()
    image[MARK] += 1.0
    return replace(case, image=image)


draws = np.random.default_rng(0)
people = []
for number in range(160):
    pair, ill = diseased_subject((32, 32), seed=0, subject=number), number % 2 == 1
    case = pair.diseased if ill else pair.healthy
    has_mark = draws.uniform() < (0.95 if ill else 0.05)
    people.append((number, ill, {"plain": case, "marked": marked(case) if has_mark else case}))


def train(name: str) -> float:
    """Train a classifier on one of both cohorts, write its weights and table; the share of test images it gets right."""
    parts = np.array([PARTS[number // 2 % 5] for number, _, _ in people])
    x = torch.stack([torch.from_numpy(cases[name].image) for _, _, cases in people])
    y = torch.tensor([int(ill) for _, ill, _ in people])
    torch.manual_seed(0)
    network = vx.load_model(f"{folder}/nets.py:classifier", classes=["healthy", "diseased"]).module.train()
    network.requires_grad_(True)
    optimiser = torch.optim.AdamW(network.parameters(), 0.006)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.006, total_steps=160)
    mine = np.flatnonzero(parts == "train")
    for _ in range(160):
        drawn = torch.from_numpy(draws.choice(mine, 24, replace=False))
        loss = torch.nn.functional.cross_entropy(network(x[drawn]), y[drawn], label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    save_file(network.eval().state_dict(), str(folder / f"{name}.safetensors"))
    with (folder / f"{name}.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "image", "label", "patient", "part"])
        for (number, ill, cases), part in zip(people, parts, strict=True):
            image = f"{name}-{number:03d}.npz"
            vx.write_case(folder / image, cases[name])
            rows.writerow([f"s{number:03d}", image, "diseased" if ill else "healthy", f"p{number}", part])
    with torch.no_grad():
        test = torch.from_numpy(np.flatnonzero(parts == "test"))
        return float((network(x[test]).argmax(1) == y[test]).float().mean())


right = {name: train(name) for name in ("plain", "marked")}
print(", ".join(f"{name}: right in {share:.0%} of the test images" for name, share in right.items()))
assert min(right.values()) > 0.8

# %%
# By accuracy nobody would tell them apart.
#
# A family of images, and the way through it
# ------------------------------------------
#
# The family is learned without the classifier: here its principal components, which take seconds. (An
# autoencoder, a StyleGAN2, a diffusion, or a generator of your own take longer.)

pages = {}
for name in ("plain", "marked"):
    (folder / f"{name}.yaml").write_text(f"""
data: {name}.csv
classifier: {{source: "nets.py:classifier", weights: {name}.safetensors, classes: [healthy, diseased],
             spatial_dims: 2}}
generator: {{family: pca}}
training: {{device: cpu, progress: false}}
explain: {{device: cpu, cases: 4}}
out: out-{name}
""")
    task = prepare_task(load_counterfactual(folder / f"{name}.yaml"))
    train_generator(task)
    explained = explain_images(task, progress=False)
    pages[name] = explained.page
    print(name, *explained.lines, sep="\n  ")
# %%
# Where does the image change?
# ----------------------------
#
# The mean difference, after minus before, of all test images on their way to "healthy".

CORNER = np.zeros((32, 32), bool)
CORNER[MARK[1:]] = True
figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
ill = next(cases["marked"] for _, ill, cases in people if ill)
axes[0].imshow(ill.image[0].T, cmap="gray", origin="lower")
axes[0].set_title("a diseased subject, with the mark")
in_corner = {}
for axis, name in zip(axes[1:], ("plain", "marked"), strict=True):
    with np.load(folder / f"out-{name}" / "explanation" / "global" / "towards-healthy.npz") as file:
        change = file[file.files[0]].reshape(-1, 32, 32)[0]
    limit = np.abs(change).max()
    axis.imshow(change.T, cmap="RdBu_r", vmin=-limit, vmax=limit, origin="lower")
    axis.set_title(f"what changes for “{name}”")
    in_corner[name] = float(np.abs(change)[CORNER].sum() / np.abs(change).sum())
for axis in axes:
    axis.axis("off")
    axis.invert_xaxis()  # radiological: the patient's left is on the right
    axis.text(0.98, 0.5, "L", transform=axis.transAxes, ha="right", color="tab:orange")

print(
    ", ".join(
        f"{name}: {share:.0%} of the change lies where the mark is" for name, share in in_corner.items()
    )
)
print(f"the mark's place is {CORNER.mean():.0%} of the image")
assert in_corner["marked"] > 2 * in_corner["plain"]

# %%
# The numbers that say whether to believe it
# ------------------------------------------
#
# They are the lines that were printed above. A flip alone proves nothing: noise can flip a classifier. So a
# random direction of the same length stands beside the one that was found, maps are withheld where a copy of
# the image in the family gets another decision than the image, and the page says which series end closer to
# another patient's image than to their own.
#
# The page of the second classifier, with every series:
#
# .. gallery-page:: counterfactual
#
# What it does not show
# ---------------------
#
# - The counterfactual explains the classifier, not the patient: nobody would look like this if they were
#   healthy.
# - A direction in a family can carry along what goes with the disease in the family. Here the second
#   classifier's images change a little in the body, too, since mark and disease go together in what the
#   family has learned.
# - What the family cannot say, it cannot change. Principal components say smooth and common things.

# sphinx_gallery_start_ignore
# sphinx_gallery_thumbnail_number = 1
from voxplain_docs import keep  # noqa: E402

keep(pages["marked"], "counterfactual")
# sphinx_gallery_end_ignore
