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
# The page from top to bottom, and in what order to read it
# ---------------------------------------------------------
#
# 1. **Please note**, where the page begins with it: what the program itself found odd.
# 2. **In short**: a light for each method, with its reason. The colours are worth looking at only where these
#    allow it.
# 3. **What the model found.** Is it right, and how sure is it? A map of a wrong answer explains the mistake, not
#    the patient. *Doubtful border* is the share of a structure's edge at which the network wavered.
# 4. Now go down to **Where the maps lie**. The table says in shares what the picture says in colours, region by
#    region, and how large each region is.
# 5. **Whether to believe the maps**: every test behind a light, with its figure and beside it that of maps that
#    know nothing of the network.
# 6. **What this page cannot tell.** It belongs to the result.
# 7. Then back to the pictures, **Maps in three planes**. A click moves the cross-hair in all planes; below stand
#    the place and the values there. *Beside it* shows a second method, *3-D* a view to turn, ``?`` lists the
#    keys. The still pictures that follow are the ones that are printed.
#
# What is left is for whoever made the page: all numbers, the methods, a paragraph for a paper, and what scan and
# network it rests on. A page of a study, over many cases, begins with *The answer*, a verdict for each method;
# lights, tables and limits are the same.
#
# What the lights mean
# --------------------
#
# A light is that of the method's worst test, told by shape and word as well as by colour.
#
# .. list-table::
#    :header-rows: 1
#    :widths: 30 70
#
#    * - The page says
#      - It means
#    * - *good* (green dot)
#      - The map changes when the network is replaced by one that has learned nothing, and it tells more of the
#        score than maps that know nothing of the network. It may be looked at. "On 1 case alone" means just that.
#    * - *look closer* (yellow diamond)
#      - A test is in doubt; the reason says which. Often there was too little to tell the map from chance.
#    * - *do not rely on it* (red square)
#      - A test failed. Do not look at the colours, however sharp they are.
#    * - *not tested enough*, *not checked* (grey)
#      - Nobody asked for the tests, they do not apply, or there were too few cases. This is not a weak yes.
#
# And the reasons:
#
# .. list-table::
#    :header-rows: 1
#    :widths: 30 70
#
#    * - The reason
#      - It means
#    * - *does not change*, or *changes too little, when the model's weights are randomised*; of a study: *fails
#        randomisation*
#      - The map stays much the same when the network's knowledge is wiped. It shows the scan, not the reason.
#    * - *no better than a map of the image's edges*
#      - Whoever traces the edges of the scan explains the network as well. The same may be said of a random map.
#    * - *not by more than chance explains*
#      - It is ahead of such maps, but by so little that another draw might turn it.
#    * - *changes when the image is rounded*
#      - What no eye sees in the scan changes the map: its details mean nothing.
#    * - *completeness gap*
#      - The map should add up to the network's score, and misses this share of it. Up to 5 % are usual; beyond
#        25 % a part of the map is missing.
#    * - *outside the body*
#      - A part of the map lies beside the patient. It may be noise. It may also be that the network looks there.
#    * - *holds in these tests*, *cannot tell* (of a study)
#      - Over these cases, what *good* says of one; or too few cases to say anything.
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
# Find on it: what was found, and how sure the network is of the fluid; why one light is red and the other
# yellow; how much of the map lies outside the body; which scan and network it was; the limits. Neither map may
# be shown as the reason. If you would decide anything about a patient by a picture alone, go back to the list
# above. **Research only.**
#
# If you are asked to rate maps
# -----------------------------
#
# In a reader study (:doc:`/view`) you get cases in your browser, one after the other, and for each case maps
# called A, B, C: the methods' names are hidden, and the letters are dealt anew for every case. Two questions
# each, from 1 to 5: *Useful for judging the prediction*, and *Shows what I would have pointed at*. They are two
# questions, since a map can show what you would have pointed at without showing what the network used. You see
# your own ratings alone, and may stop and go on under the same name.
#
# Results may also reach you in your own viewer, as :doc:`DICOM objects </dicom>` beside the scan: pictures with a
# research banner, segments, maps, numbers. All of the above holds for them.
