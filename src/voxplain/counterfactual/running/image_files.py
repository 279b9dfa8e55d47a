"""The files of one image that was explained: maps on its own grid, pictures, the series."""

from __future__ import annotations

from pathlib import Path

import torch

from voxplain.case.atomic import write_whole
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.page.case_figure import case_figure, case_scene
from voxplain.counterfactual.page.frames_figure import frames_figure
from voxplain.counterfactual.path import CounterfactualPath
from voxplain.counterfactual.running.case_files import at_dose, write_animation, write_grid, write_map
from voxplain.counterfactual.running.records import Record
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.model import Prepared
from voxplain.report import png


def write_image(
    task: CounterfactualTask, place: Path, ready: Prepared, path: CounterfactualPath, title: str, generator: Generator
) -> Record:  # fmt: skip
    """Write all files of an image but its record; what the record must tell of them.

    Args:
        task: with its settings.
        place: an empty folder.
        ready: the image with its way back.
        path: what came of it.
        title: of the figure.
        generator: makes the copy.
    """
    kinds, withheld = task.settings.explain.files, "difference" in path.withheld
    before, after = path.frames[0], path.frames[at_dose(path)]
    write_grid(place, before.cpu().numpy(), after.cpu().numpy())
    with torch.no_grad():
        copy = generator.decode(generator.encode(before[None]))[0]
    frames = ready.restore(path.frames.flatten(0, 1).cpu())
    channels = len(before)
    if "frames" in kinds:
        write_map(place, "frames", frames, ready)
    if "difference" in kinds and not withheld:
        write_map(place, "difference", ready.restore(path.map("difference").cpu()), ready)
    home = [ready.restore(image.cpu()) for image in (before, copy, after)]
    base = case_scene(home[0], home[2], ready.case.geometry)
    doses, scores = path.doses.tolist(), path.scores.tolist()
    figure = case_figure(base, home[1], home[2], title, withheld=withheld)
    strip = frames_figure(frames[::channels], doses, scores, base, path.dose, task.asked.names[1])
    write_whole(place / "figure.png", png(figure, 100))
    write_whole(place / "frames.png", png(strip, 100))
    write_animation(place, frames[::channels], doses, scores, base, kinds)
    return {
        "files": sorted(file.name for file in place.iterdir()),
        "figure": [figure.alt, figure.caption], "strip": [strip.alt, strip.caption],
    }  # fmt: skip
