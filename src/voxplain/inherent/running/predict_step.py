"""`voxplain inherent predict`: evidence, contributions, decisions and masks as files on each image's own grid."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from voxplain.case.atomic import write_whole
from voxplain.errors import InputError
from voxplain.inherent.data import Reader, Sample, class_masks
from voxplain.inherent.data.new_images import new_samples
from voxplain.inherent.data.sample import UNKNOWN, targets
from voxplain.inherent.evaluate.classification import sigmoid, softmax
from voxplain.inherent.evaluate.rows import write_rows
from voxplain.inherent.maps import Maps
from voxplain.inherent.maps_file import read_maps
from voxplain.inherent.maps_folder import MapsFolder
from voxplain.inherent.mask import Segmentation
from voxplain.inherent.running.case_files import Grid, intact, sizes, write_map, write_mask
from voxplain.inherent.running.foreseen import check_device, check_threshold, fits, parts_of, samples_of
from voxplain.inherent.running.headline import FITTED, threshold_of
from voxplain.inherent.running.places import Places
from voxplain.inherent.running.questions import Question, questions, words
from voxplain.inherent.running.shares import shares_on_grid, within_image
from voxplain.inherent.running.task import Task
from voxplain.inherent.running.thresholds import fitted, score_of, segmentation_of, written
from voxplain.inherent.running.train_step import trained_network
from voxplain.inherent.running.validity import (
    VALID,
    check_current,
    check_not_trained,
    current_maps,
    key_of,
    sample_key,
)
from voxplain.inherent.shown import shown
from voxplain.inherent.training import Predicted, predict
from voxplain.inherent.uncertainty import Committee, agreement

NEW = "new"  # the part of images that are not the data set's
_FILES = "files"  # what is known about a stored case beside its maps: the sizes of the files that were written with them


def predict_inherent(
    task: Task, images: Sequence[str | Path | Sample] = (), *, progress: bool = True
) -> Places:
    """Ask the trained network about the validation and test parts, or about new images.

    Every image gets a folder in ``prediction/cases/PART`` with ``evidence`` and ``contribution`` (K, *S) and ``mask`` on its
    own grid, and ``spread`` (K, *S), the standard deviation of the evidence, where several answers are asked for.
    ``prediction/predictions.parquet`` has a row per image and class, ``masks.parquet`` one per image, and
    ``threshold.json`` the threshold with what it was fitted on. Of independent labels, every class has a threshold and a
    mask of its own, whose files bear its name. What is there already, by the same weights and settings and of images and
    masks whose files and labels are the same, is not asked again, unless a file of it is missing or has another size.

    Args:
        task: with settings of a training that is done.
        images: without a class, instead of the parts, see `new_samples`; the validation part must have been predicted
            before. Answers about earlier new images that are not among these are removed.
        progress: show a bar on a terminal.

    Raises:
        InputError: no training, images that cannot be read, a threshold that cannot be fitted.
    """
    check_device("predict.device", task.settings.predict.device)
    places, network = Places(task.settings.out), _asked(task)
    parts = {NEW: _new(task, images)} if images else parts_of(task)
    check_not_trained(task)
    _check_validation(task, parts)
    if fits(task):
        check_threshold(task)
    key = key_of(task)
    rows: list[dict[str, Any]] = []
    for part, samples in parts.items():
        folder = MapsFolder(places.maps(part), str(key))
        with shown(f"{part} images", progress) as show:
            _ask(task, network, folder, part, samples, places, show)
        folder.finish(len(samples))
        _clear(places, part, samples)
        rows += _rows(task, folder, part, read_maps(folder.folder))
    write_rows(rows, places.prediction / ("new.parquet" if images else "predictions.parquet"))
    _write_masks(task, places, parts, progress)
    return places


def _asked(task: Task) -> nn.Module:
    asked = task.settings.uncertainty
    networks = [trained_network(task, number) for number in range(asked.ensemble)]
    committee = Committee(networks, mirrored=asked.mirrored, draws=asked.dropout, seed=asked.seed)
    return committee if committee.members > 1 else networks[0]


def _new(task: Task, images: Sequence[str | Path | Sample]) -> list[Sample]:
    made = [image for image in images if isinstance(image, Sample)]
    given = [image for image in images if not isinstance(image, Sample)]
    return made + new_samples(given, task.samples, task.settings.data.slices, task.preparation.orientation)


def _check_validation(task: Task, parts: Container[str]) -> None:
    """Before anything is asked: maps of the validation part that are not made now must be there, and the present ones."""
    if FITTED in parts or not fits(task):
        return
    if not Places(task.settings.out).maps(FITTED).exists():
        raise InputError(
            "predict.parts: the threshold of the masks is fitted on the validation part, which was not predicted; predict "
            "it first, or leave mask out of predict.files"
        )
    check_current(task, FITTED, samples_of(task, FITTED))


def _ask(
    task: Task, network: nn.Module, folder: MapsFolder, part: str, samples: Sequence[Sample], places: Places, show: Any
) -> None:  # fmt: skip
    asked = task.settings.predict
    device = ("cuda" if torch.cuda.is_available() else "cpu") if asked.device == "auto" else asked.device
    missing = [i for i, s in enumerate(samples) if not _there(folder, i, s, places.case(part, i, s.id))]
    if missing:
        folder.start()
    wanted, reader, done = set(missing), Reader(), 0
    for start in range(0, len(samples), asked.batch):
        batch = range(start, min(start + asked.batch, len(samples)))
        if wanted.isdisjoint(batch):
            continue
        # whole batches, whatever is missing of them: sums of another batch are rounded otherwise
        answers = predict(
            network, [samples[i] for i in batch], preparation=task.preparation, batch=asked.batch, device=device,
            precision=asked.precision, like=task.shape, reader=reader,
        )  # fmt: skip
        for index, found in zip(batch, answers, strict=True):
            if index in wanted:
                _write(task, folder, index, found, places.case(part, index, found.sample.id), reader)
                show(f"{part} images", done := done + 1, len(missing))


def _there(folder: MapsFolder, index: int, sample: Sample, place: Path) -> bool:
    """Whether the answer about this very image is stored, with its files as they were written."""
    if not folder.whole(index):
        return False
    about = folder.about(index)
    return about.get(VALID) == sample_key(sample) and intact(place, about.get(_FILES))


def _clear(places: Places, part: str, samples: Sequence[Sample]) -> None:
    """Remove files of images that are no longer among those of the part."""
    kept = {places.case(part, i, sample.id) for i, sample in enumerate(samples)}
    gone = [f for f in places.cases(part).glob("[0-9][0-9][0-9][0-9][0-9]-*") if f not in kept]
    for folder in gone:
        shutil.rmtree(folder)
    if gone and part == NEW:
        warnings.warn(
            f"{places.cases(part)}: removed what earlier calls left ({len(gone)} images); copy what is to stay",
            UserWarning,
            stacklevel=3,
        )


def _write(task: Task, folder: MapsFolder, index: int, found: Predicted, place: Path, reader: Reader) -> None:
    grid, ready = Grid.of(found), found.prepared
    assert found.evidence is not None
    evidence = ready.restore(found.evidence)
    kinds, files = task.settings.predict.files, []
    if "evidence" in kinds:
        files.append(write_map(place, "evidence", evidence, grid))
    if "contribution" in kinds and found.contribution is not None:
        files.append(write_map(place, "contribution", shares_on_grid(found.contribution, ready), grid))
    if "spread" in kinds and found.deviation is not None:
        files.append(write_map(place, "spread", ready.restore(found.deviation), grid))
    known, seen = found.sample.label != UNKNOWN, ready.covers()
    case = Maps(
        (found.sample.id,),
        (found.sample.group,),
        [grid.squeeze(evidence)],
        found.logits[None].double().numpy(),
        [_label(task, found)],  # type: ignore[arg-type]
        images=[grid.squeeze(ready.case.image)],
        spacings=[grid.spacing],
        healthy=task.healthy,
        seen=[None if seen is None else grid.squeeze(seen[None])[0]],
        **(_truth(task, found, grid, reader) if known else {}),
    )
    several = found.member_logits
    spread = None if several is None else agreement(several.numpy(), independent=task.samples.multi_label)
    about = {"grid": grid.to_dict(), "sums": _sums(found), "known": known, "spread": spread}
    folder.add(index, case, {**about, VALID: sample_key(found.sample), _FILES: sizes(files)})


def _label(task: Task, found: Predicted) -> Any:
    """As maps have it. One that is not known stands for the decision; nothing that is done with such images looks at it."""
    if task.samples.multi_label:
        return targets([found.sample], len(task.samples.classes))[0].astype(int)
    return int(found.logits.argmax()) if found.sample.label == UNKNOWN else found.sample.label


def _truth(task: Task, found: Predicted, grid: Grid, reader: Reader) -> dict[str, Any]:
    """The mask; of independent labels one per class, and of which classes it is known."""
    drawn = reader.drawn(found.sample)
    if drawn is None:
        return {}
    if not task.samples.multi_label:
        return {"masks": [grid.squeeze(drawn[None] > 0)[0]]}
    masks, voxels = class_masks(
        drawn, found.sample.labels, len(task.samples.classes), task.samples.mask_values
    )
    files = found.sample.mask
    if isinstance(files, tuple):  # nobody drew what has no file
        voxels[[k for k in found.sample.labels if files[k] is None]] = -1
    return {"masks": [grid.squeeze(masks)], "truth_voxels": voxels[None]}


def _sums(found: Predicted) -> dict[str, list[float]] | None:
    """Per class: what speaks for it, what against it, and logit − both, which no place of the image explains."""
    if found.contribution is None:
        return None
    flat, logits = within_image(found.contribution, found.prepared).double().flatten(1), found.logits.double()
    above, below = flat.clamp_min(0).sum(1), flat.clamp_max(0).sum(1)
    return {
        "for": above.tolist(),
        "against": below.tolist(),
        "unexplained": (logits - above - below).tolist(),
    }


def _rows(task: Task, folder: MapsFolder, part: str, maps: Maps) -> list[dict[str, Any]]:
    """A row per image and class."""
    classes, rows = task.samples.classes, []
    chances = sigmoid(maps.logits) if maps.multi_label else softmax(maps.logits)
    for i in range(len(maps)):
        about = folder.about(i)
        label, decided = words(maps, i, classes)
        for k, name in enumerate(classes):
            rows.append({
                "part": part, "id": maps.ids[i], "patient": maps.groups[i],
                "label": label if about["known"] else "", "predicted": decided, "class": name,
                "logit": float(maps.logits[i, k]), "probability": float(chances[i, k]),
                **{f"evidence {name}": values[k] for name, values in (about["sums"] or {}).items()},
                **{what: values[k] for what, values in (about["spread"] or {}).items()},
            })  # fmt: skip
    return rows


def _write_masks(task: Task, places: Places, parts: dict[str, list[Sample]], progress: bool) -> None:
    """Fit the thresholds on the validation part, and mark every image by them."""
    if "mask" not in task.settings.predict.files:
        return
    validation = current_maps(task, FITTED, samples_of(task, FITTED)) if fits(task) else None
    rows: list[dict[str, Any]] = []
    for question in questions(task):
        score = score_of(task.settings.mask, question.healthy)
        wanted = threshold_of(task, question)
        threshold, why = fitted(wanted, score, None if validation is None else question.of(validation))
        if threshold is None:
            of = f" of {question.name!r}" if question.name else ""
            raise InputError(
                f"mask.threshold{of}: {why}; mask.threshold=otsu or zero need no validation images"
            )
        segmentation = segmentation_of(task.settings.mask, threshold)
        about = json.dumps(written(segmentation), ensure_ascii=False, indent=1)
        write_whole(places.prediction / f"threshold{question.suffix}.json", about.encode())
        for part in parts:
            with shown(f"{part} masks", progress) as show:
                rows += _marked(segmentation, question, places, part, show)
    write_rows(rows, places.prediction / ("new_masks.parquet" if NEW in parts else "masks.parquet"))


def _marked(
    segmentation: Segmentation, question: Question, places: Places, part: str, show: Any
) -> list[dict[str, Any]]:
    maps, rows = question.of(read_maps(places.maps(part))), []
    told = MapsFolder.opened(places.maps(part))
    for i in range(len(maps)):
        made = segmentation(maps, i)
        grid = Grid.from_dict(told.about(i)["grid"])
        place = places.case(part, i, maps.ids[i])
        write_mask(place, f"mask{question.suffix}", made.mask, grid)
        if made.refined:
            write_mask(place, f"mask{question.suffix}_before_refinement", made.before, grid)
        rows.append({
            "part": part, "id": made.id, "patient": maps.groups[i], "class": question.name,
            "threshold": segmentation.threshold.title, "supervision": segmentation.threshold.supervision,
            "value": made.threshold, "voxels": int(made.mask.sum()), "parts": len(made.lesions),
            "why empty": made.reason,
        })  # fmt: skip
        show(f"{part} masks", i + 1, len(maps))
    return rows
