"""What a worker holds while it works: one model, one case, one problem, all made again from the settings when needed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from voxplain.case import parse_slice, read_case, take_slice
from voxplain.engine import Problem
from voxplain.engine.prediction_file import read_prediction
from voxplain.errors import InputError, ModelError
from voxplain.study.ledger.fingerprint import of_model
from voxplain.study.ledger.ledger import Ledger
from voxplain.study.make import load, make_target, texts_of
from voxplain.study.places import Places
from voxplain.study.working.warned import warned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from voxplain.attribution.method import Method
    from voxplain.case import Case
    from voxplain.metric import Metric
    from voxplain.model import Model
    from voxplain.study.planning.plan import Plan
    from voxplain.study.planning.task import Task
    from voxplain.study.working.warned import Said
    from voxplain.target import Target


def case_of(plan: Plan, position: int) -> Case:
    """A case of the settings, read anew."""
    given = plan.settings.cases[position]
    paths = list(given.image)
    case = read_case(
        paths[0] if len(paths) == 1 else paths,
        label=given.label,
        id=plan.case_ids[position],
        series=given.series,
        fill_nan=given.fill_nan,
    )
    if given.slice is None:
        return case
    return take_slice(case, *parse_slice(given.slice))


class Held:
    """A worker's belongings.

    A task's problem is made afresh, so that its result does not depend on what the worker did before.

    Args:
        device: such as ``cpu`` or ``cuda:0``; a model whose settings name another keeps that one.
        progress: told (what, done, of how many).
    """

    def __init__(self, plan: Plan, device: str, progress: Callable[[str, int, int], None]) -> None:
        self.plan, self.device, self.progress = plan, device, progress
        self.places = Places(plan)
        self.ledger = Ledger(plan.settings.out, trusting=True)
        self.one_by_one = False  # after memory ran out
        self.network = ""  # the hash that the model must have
        self.warned: Said = list  # what was warned of while the task is done
        self.warned_of_model: list[str] = []
        self._model: tuple[str, Model] | None = None
        self._problem: tuple[tuple[str, int, bool], Problem, torch.Tensor] | None = None

    def model(self, name: str) -> Model:
        """The model of that name; another one is let go first.

        Raises:
            VoxplainError: it cannot be loaded.
        """
        if self._model is None or self._model[0] != name:
            self._model = self._problem = None
            settings = self.plan.settings.models[name]
            asked = (
                settings if settings.device != "auto" else settings.model_copy(update={"device": self.device})
            )
            # the model's own task tells what loading it warns of, and not every task whose worker loads it again
            with warned() as said:
                model = load(asked, settings.prepare, settings.windows)
            self.warned_of_model = said()
            model.name = name
            self._require_same(name, of_model(model, settings.source))
            self._model = name, model
        return self._model[1]

    def _require_same(self, name: str, found: str) -> None:
        if self.network and found != self.network:
            raise ModelError(
                f"models.{name}: another network than the one that the run began with: its factory draws other weights each "
                "time, or a file has changed since; give weights, or seed it"
            )

    def case(self, position: int) -> Case:
        """A case of the settings, read anew."""
        return case_of(self.plan, position)

    def targets(self, model: Model, position: int) -> list[Target | str]:
        """What is asked about a case."""
        settings = self.plan.settings
        own = settings.models[model.name].targets
        asked = settings.targets if own is None else own
        mask = settings.cases[position].mask
        if model.known_task is None:
            # small random inputs did not tell; the problem learns the task from the image
            return texts_of(asked, settings.score, settings.reduce)
        words = asked or (("all",) if model.task == "segmentation" else ("predicted",))
        file = str(mask) if mask else None
        return [
            make_target(t, task=model.task, score=settings.score, reduce=settings.reduce, mask=file)
            for t in words
        ]

    def problem(self, task: Task) -> Problem:
        """The problem of a task's model and case, which an earlier task has asked, as if nothing had been done with it."""
        key = (*task.group, self.one_by_one)
        if self._problem is None or self._problem[0] != key:
            self._problem = None
            model = self.model(task.model)
            known = self.asked(task)
            problem = Problem(
                model,
                self.case(task.case),
                self.targets(model, task.case),
                seed=self.plan.settings.seed,
                batch=1 if self.one_by_one else known["batch"],
                scratch=self.places.scratch(task),
                progress=self.progress,
                prediction=read_prediction(self.places.prediction(task)),
            )
            clean = torch.tensor(
                [float("nan") if s is None else s for s in known["scores"]], dtype=torch.float64
            )
            self._problem = key, problem, clean
        _, problem, clean = self._problem
        return problem.afresh(clean=clean)

    def asked(self, task: Task) -> dict[str, Any]:
        """What the asking task of this model and case found.

        Raises:
            InputError: its marker is gone.
        """
        found = self.ledger.last(self.places.ask(task))
        if "batch" not in found:
            raise InputError(
                f"{self.places.ask(task)}: not asked yet, or its marker was removed; run the study again"
            )
        return found

    def method(self, name: str) -> Method:
        """A method of the settings by its name in the study."""
        return self.plan.methods[name].method

    def metric(self, name: str) -> Metric:
        """A metric of the settings."""
        return self.plan.metrics[name].metric

    def finish(
        self, task: Task, key: str, files: Iterable[Path], result: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Mark a task as done, with what was warned of, which a later run has no other way to know."""
        return self.ledger.finish(task.name, key, files, self._with_warnings(result))

    def fail(self, task: Task, result: Mapping[str, Any]) -> dict[str, Any]:
        """Note that a task failed, likewise; what it found so far is kept."""
        return self.ledger.fail(task.name, self._with_warnings(result), keep=True)

    def _with_warnings(self, result: Mapping[str, Any]) -> dict[str, Any]:
        said = self.warned()
        return {**result, "warnings": said} if said else dict(result)

    def let_go(self) -> None:
        """Forget everything that takes memory."""
        self._model = self._problem = None
        with suppress(RuntimeError):
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def relative(self, path: Path) -> str:
        """A path as tables name it."""
        return path.relative_to(self.plan.settings.out).as_posix()
