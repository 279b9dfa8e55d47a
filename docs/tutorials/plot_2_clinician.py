"""
For the clinician: how to read a report
=======================================

Somebody shows you a page with coloured maps on a scan, and says: this is why the network said so. This page
tells what such a map is, what it is not, and which lines of the report to read before looking at the colours.

There is nothing to install, and no code to read.
"""

# %%
# First: which side is which
# --------------------------
#
# Pictures follow the radiological convention: you look at the patient from the feet. **The patient's left is
# on the right of the picture**, marked L. Below is a phantom with a mark on the patient's left
# side, towards the front.

# sphinx_gallery_start_ignore
import io

import numpy as np
from matplotlib import pyplot as plt

from voxplain.case import Geometry
from voxplain.report import planes, png, scenes

SHAPE = (64, 64, 48)
x, y, z = (
    2.5 * (axis - (size - 1) / 2) for axis, size in zip(np.indices(SHAPE), SHAPE, strict=True)
)  # RAS mm
affine = np.diag([2.5, 2.5, 2.5, 1.0])
affine[:3, 3] = [-2.5 * (size - 1) / 2 for size in SHAPE]
body = (x / 60) ** 2 + (y / 74) ** 2 + (z / 55) ** 2 < 1
off = (x + 30) ** 2 + (y - 35) ** 2 + (z - 10) ** 2
mark = off < 9**2  # to the left, the front and the top
other = (x - 30) ** 2 + (y + 30) ** 2 + (z - 10) ** 2 < 9**2
image = 0.5 * body + 0.4 * mark + 0.04 * np.sin(x / 9) * np.cos(y / 11) * body
evidence = np.exp(-off / 100) - 0.6 * other
assert evidence[np.unravel_index(evidence.argmax(), SHAPE)] > 0
assert x[mark].mean() < 0 < y[mark].mean()  # RAS: left has negative x
(scene,) = scenes(
    image, evidence, geometry=Geometry(affine, SHAPE), prediction=mark.astype(np.int32), names=["", "mark"],
    title="A phantom with a mark",
)  # fmt: skip
drawn = plt.imread(io.BytesIO(png(planes(scene))))
figure = plt.figure(figsize=(drawn.shape[1] / 130, drawn.shape[0] / 130), dpi=130)
figure.add_axes((0, 0, 1, 1)).imshow(drawn)
figure.axes[0].axis("off")
# sphinx_gallery_end_ignore

# %%
# Letters at the borders say it anew in every picture. Where a scan's file does not say how the patient lay,
# there are no letters, and the report says so.
#
# What the colours mean
# ---------------------
#
# - **Warm colours** (red, orange, yellow) speak for the answer that the title names, **blue** against it. No
#   colour means: little of either.
# - The colours' scale is that of one map. The same colour in another map is another amount.
# - **Outlines** are what the network found (solid) or what a person drew (dashed). They are not part of the
#   map.
#
# A map belongs to *one question*, written above it: "why liver, here", or "why the border of the liver", or
# "what was missed". The same scan has another map for another question.
#
# Read in this order
# ------------------
#
# 1. **The prediction.** Is it right? A map of a wrong answer explains the mistake, not the patient.
# 2. **The verdict or the lights.** The colours are worth looking at only where these allow it.
# 3. **The table of regions.** It says in millilitres and shares what the picture says in colours.
# 4. **The picture.**
# 5. **The limits.** They belong to the result.
#
# What the lights mean
# --------------------
#
# .. list-table::
#    :header-rows: 1
#    :widths: 30 70
#
#    * - The report says
#      - It means
#    * - *holds in these tests*
#      - On these cases the map is better than maps that know nothing of the network, and it changes when the
#        network is replaced by one that has learned nothing. It may be looked at.
#    * - *fails randomisation: do not trust*
#      - The map stays the same when the network's knowledge is wiped. It shows the scan, not the reason.
#        However sharp it looks, it is no explanation.
#    * - *no better than edges*
#      - Whoever traces the edges of the scan explains the network as well.
#    * - *cannot tell*
#      - Too few cases, or no test that applies. This is not a weak yes.
#    * - *completeness gap*
#      - The map should add up to the network's score, and misses this share of it. Some per cent are usual;
#        half is a wrong map.
#    * - *absent*, *zero*
#      - The network did not find the structure, or nothing in the scan moves its answer. There is nothing to
#        look at.
#
# What no map can tell
# --------------------
#
# - **It is not a finding.** A coloured place is where the network looked, not where the disease is. Networks look
#   at markers, at the table, at the organ beside it. The gallery has one that finds a kidney by looking at
#   the stomach.
# - **It is not a cause.** The map says what moves the network's answer, not what made the patient ill.
# - **An empty place is not a healthy place.** The network may have found enough elsewhere.
# - **It is not certainty.** A confident network and a doubtful one can have the same map. The confidence
#   stands with the prediction.
# - **Plausible is not true.** A map that lights up where you would look is pleasant. Published
#   tests found methods whose maps look the same for a trained network and for one that has learned nothing
#   (Adebayo et al. 2018).
#
# A report to read
# ----------------
#
# This one was made by the tutorial for data scientists: a small network for brain tissue, a phantom of a
# brain, two methods for one question.
#
# .. gallery-page:: explain
#
# Find on it: the prediction; which scan and network it was; what one of the two maps adds that the other does
# not; the limits. If you would decide anything about a patient by the picture alone, go back to the list
# above. **Research only.**
