"""The whole content of a cohort's page from its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from voxplain.aggregate.cohort import Cohort
from voxplain.aggregate.cohort.inventory import Inventory, inventories
from voxplain.errors import InputError, suggest
from voxplain.report.cohort.filling.asked import Asked
from voxplain.report.cohort.filling.faithful import faithful
from voxplain.report.cohort.filling.games import games
from voxplain.report.cohort.filling.lens import lens
from voxplain.report.cohort.page import CohortPage, Facts, Failure, ModelCohort
from voxplain.report.page import MethodCard, Picture

Pictures = Mapping[str, Sequence[Picture]]


def cohort_page(
    cohort: Cohort | Mapping[str, Cohort],
    *,
    title: str,
    models: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    partitions: Sequence[str] | None = None,
    asked: Asked | None = None,
    baselines: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    pictures: Mapping[str, Pictures] | None = None,
    failures: Mapping[str, Sequence[Failure]] | None = None,
    model_facts: Mapping[str, Facts] | None = None,
    description: str = "",
    drawn_cases: int = 8,
    facts: Facts | None = None,
    notes: Sequence[str] = (),
    missing: Sequence[str] = (),
    cards: Sequence[MethodCard] = (),
    settings: Facts | str = "",
    versions: Mapping[str, str] | None = None,
    command: str = "",
) -> CohortPage:
    """Run all statistics on the tables of a cohort and put them on a page; `write_cohort_page` writes it.

    Args:
        cohort: one, or one per model where the models' cases are known by other things (their Dice).
        models: in this order; all of the tables by default.
        methods, partitions: likewise, the first of them is shown whole; what a model has not is noted. Methods on redrawn
            weights (``<method>~redrawn-1``) and games (``game(<baseline>)``) are found beside them.
        asked: how the statistics are run.
        baselines: by model and game, warnings of the baseline's plausibility.
        pictures: by model and case, for the local views.
        failures, model_facts: by model.
        drawn_cases: local views with figures per model.
        cards: of the methods.

    Raises:
        InputError: a model that the tables have not; values that are no shares.
    """
    asked = asked or Asked()
    made = tuple(
        model_cohort(
            found,
            known,
            methods=methods,
            partitions=partitions,
            asked=asked,
            warnings=(baselines or {}).get(known.model, {}),
            pictures=(pictures or {}).get(known.model, {}),
            failures=(failures or {}).get(known.model, ()),
            facts=(model_facts or {}).get(known.model, {}),
        )
        for found, known in _models(cohort, models)
    )
    return CohortPage(
        title=title,
        models=made,
        description=description,
        level=asked.level,
        drawn_cases=drawn_cases,
        facts=facts or {},
        notes=tuple(notes),
        missing=tuple(missing),
        methods=tuple(cards),
        settings=settings,
        versions=versions or {},
        command=command,
    )


def model_cohort(
    cohort: Cohort,
    known: Inventory,
    *,
    asked: Asked,
    methods: Sequence[str] | None = None,
    partitions: Sequence[str] | None = None,
    warnings: Mapping[str, Sequence[str]] | None = None,
    pictures: Pictures | None = None,
    failures: Sequence[Failure] = (),
    facts: Facts | None = None,
) -> ModelCohort:
    """One model's part. Arguments and errors as of `cohort_page`."""
    lacking = [f"no table of {m}" for m in methods or () if m not in known.methods]
    pairs = [
        (method, partition)
        for method in (known.methods if methods is None else methods)
        for partition in (known.partitions(method) if partitions is None else partitions)
        if method in known.methods and partition in known.partitions(method)
    ]
    about = cohort.query('SELECT DISTINCT "case" FROM tables WHERE model = $1', [known.model])
    own = {row["case"] for row in about}
    return ModelCohort(
        name=known.model,
        cases=tuple(c for c in cohort.cases if c in own),
        lenses=tuple(lens(cohort, known, method, partition, asked) for method, partition in pairs),
        games=games(cohort, known, warnings or {}, asked),
        faithful=faithful(cohort, known, asked),
        metadata=cohort.metadata if cohort.has_metadata else None,
        pictures={case: tuple(p) for case, p in (pictures or {}).items()},
        failures=tuple(failures),
        facts=facts or {},
        notes=(*lacking, *_notes(cohort)),
    )


def _models(
    cohort: Cohort | Mapping[str, Cohort], models: Sequence[str] | None
) -> list[tuple[Cohort, Inventory]]:
    if isinstance(cohort, Cohort):
        found = {known.model: (cohort, known) for known in inventories(cohort)}
    else:
        found = {m: (c, k) for m, c in cohort.items() for k in inventories(c) if k.model == m}
    asked = tuple(found) if models is None else models
    for name in asked:
        if name not in found:
            raise InputError(f"model {name!r}: not in the tables; {suggest(name, found)}")
    return [found[m] for m in asked]


def _notes(cohort: Cohort) -> tuple[str, ...]:
    if not cohort.has_metadata:
        return ()
    told = []
    for cases, what in (
        (cohort.metadata.without, "in the tables are not in the metadata"),
        (cohort.metadata.unused, "in the metadata are not in the tables"),
    ):
        if cases:
            shown = ", ".join(cases[:6]) + (", …" if len(cases) > 6 else "")
            told.append(f"{len(cases)} of the cases {what}: {shown}")
    return tuple(told)
