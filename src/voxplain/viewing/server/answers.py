"""What the page asks for, as plain data. In a reader study nothing here has a method's name."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

import voxplain
from voxplain.errors import VoxplainError
from voxplain.report.colours import OPAQUE, STOPS
from voxplain.viewing.folder import Item
from voxplain.viewing.listing import listed
from voxplain.viewing.notes import Note, as_csv
from voxplain.viewing.notes.note import author_of
from voxplain.viewing.server.plain import SentError
from voxplain.viewing.server.session import Session
from voxplain.viewing.volumes import Volume, begin

VERSION = 1
Maps = dict[str, dict[str, tuple[str, str]]]
RELATIVE = "share of the map's own colour range"


class Answers:
    """One method per address."""

    def __init__(self, session: Session) -> None:
        self.session, self.folder = session, session.folder

    def study(self, request: Request) -> dict[str, Any]:
        """What there is to open, at once."""
        blinding = self.session.blinding
        order = self.folder.items if blinding is None else blinding.cases(self._reader(request, needed=False))
        return {
            "version": VERSION,
            "voxplain": voxplain.__version__,
            "title": self.folder.title if blinding is None else "Reader study",
            "blinded": blinding is not None,
            "reader": self.session.reader,
            "stops": [[at, colour] for at, colour in STOPS],
            "opaque": OPAQUE,
            "items": [{"number": item.number, "name": item.name} for item in order],
        }

    def figures(self, request: Request) -> dict[str, Any]:
        """What the list can be sorted by; nothing of a reader study."""
        del request
        if self.session.blinding is not None:
            raise HTTPException(404)
        return listed(self.folder)

    def progress(self, request: Request) -> dict[str, Any]:
        """How many methods of each case the reader has rated, of how many."""
        blinding = self.session.blinding
        if blinding is None:
            raise HTTPException(404)
        reader = self._reader(request)
        rated = {(n.model, n.case, n.method) for n in self._rated(reader)}
        rows = []
        for item in blinding.cases(reader):
            methods = blinding.letters(reader, item).values()
            done = sum((item.model, item.case, method) in rated for method in methods)
            rows.append({"number": item.number, "done": done, "of": len(methods)})
        return {"items": rows}

    def item(self, request: Request) -> dict[str, Any]:
        """A case's description, as the viewer reads it."""
        item = self._item(request)
        place = f"items/{item.number}"
        maps = self._maps(request, item)
        # all that the first picture needs is read side by side
        begin(lambda: self.session.volumes.labels(item), lambda: self._first(request, item, maps))
        described = self.session.volumes.describe(item)
        layers = self._layers(item, described["notes"])
        blinding = self.session.blinding
        described["image"]["data"] = f"{place}/image"
        described["labels"] = [
            {"data": f"{place}/labels/{n}", "name": name, "dashed": dashed, **volume.told}
            for n, (name, dashed, volume) in enumerate(layers)
        ]
        verdicts = {} if blinding is not None else self.folder.verdicts(item.model)
        described["targets"] = []
        for t, (target, made) in enumerate(maps.items()):
            shown = []
            for m, (name, (_, unit)) in enumerate(made.items()):
                light, verdict = verdicts.get(name, ("info", ""))
                shown.append(
                    {
                        "data": f"{place}/maps/{t}/{m}",
                        "type": "float32",
                        "scale": 1.0,
                        "offset": 0.0,
                        "limit": 1.0,
                        "lost": "",
                        "method": name,
                        "unit": unit,
                        "light": light,
                        "verdict": verdict,
                    }
                )
            described["targets"].append({"name": target, "maps": shown})
        if blinding is None:
            described["notes"] += self.folder.without(item)
        return described

    def image(self, request: Request) -> Volume:
        """An image's voxels."""
        return self.session.volumes.image(self._item(request))

    def labels(self, request: Request) -> Volume:
        """A layer of labels."""
        layers = self.session.volumes.labels(self._item(request))
        return layers[_inside(request.path_params["layer"], len(layers))][2]

    def map(self, request: Request) -> Volume:
        """A map's voxels; in a reader study as shares of its own range."""
        item = self._item(request)
        targets = list(self._maps(request, item).items())
        target, maps = targets[_inside(request.path_params["target"], len(targets))]
        method, _ = list(maps.values())[_inside(request.path_params["method"], len(maps))]
        return self._volume(item, target, method)

    def notes(self, request: Request) -> dict[str, Any]:
        """What was written about a case; in a reader study the reader's own alone."""
        item = self._item(request)
        found = self.session.notes.of(item.model, item.case)
        blinding = self.session.blinding
        if blinding is None:
            return {"notes": [_told(n, n.method) for n in found]}
        reader = self._reader(request)
        letters = {method: letter for letter, method in blinding.letters(reader, item).items()}
        own = [n for n in found if n.author == reader and n.letter and n.method in letters]
        return {"letters": sorted(letters.values()), "notes": [_told(n, letters[n.method]) for n in own]}

    def csv(self, request: Request) -> str:
        """All notes; a reader study's are for those who run it (`--export`)."""
        del request
        if self.session.blinding is not None:
            raise HTTPException(404)
        return as_csv(self.session.notes.all())

    def _maps(self, request: Request, item: Item) -> Maps:
        """Target -> shown name -> (method, unit)."""
        found = self.folder.maps(item)
        blinding = self.session.blinding
        if blinding is None:
            return {t: {m: (m, unit) for m, unit in maps.items()} for t, maps in found.items()}
        letters = blinding.letters(self._reader(request), item)
        return {
            target: {letter: (method, RELATIVE) for letter, method in letters.items() if method in maps}
            for target, maps in found.items()
        }

    def _layers(self, item: Item, notes: list[str]) -> tuple[tuple[str, bool, Volume], ...]:
        """Labels; where they cannot be read the maps are shown all the same."""
        try:
            return self.session.volumes.labels(item)
        except VoxplainError as error:
            notes.append(f"No outlines are shown: {error}")
            return ()

    def _volume(self, item: Item, target: str, method: str) -> Volume:
        volumes = self.session.volumes
        return (volumes.map if self.session.blinding is None else volumes.relative)(item, target, method)

    def _first(self, request: Request, item: Item, maps: Maps) -> None:
        """Make the map that the page is about to ask for, by the names that it hints at."""
        target = request.query_params.get("target", "")
        target = target if target in maps else next(iter(maps), "")
        made = maps.get(target, {})
        name = request.query_params.get("method", "")
        name = name if name in made else next(iter(made), "")
        if name:
            self._volume(item, target, made[name][0])

    def _rated(self, reader: str) -> list[Note]:
        """The reader's whole ratings."""
        return [
            n
            for n in self.session.notes.latest()
            if n.author == reader and n.letter and None not in (n.usefulness, n.agreement)
        ]

    def _item(self, request: Request) -> Item:
        return self.folder.items[_inside(request.path_params["item"], len(self.folder.items))]

    def _reader(self, request: Request, *, needed: bool = True) -> str:
        """Who reads: the one of the start, or whom the page says."""
        if self.session.reader:
            return self.session.reader
        given = request.query_params.get("reader", "")
        if not given and not needed:
            return ""
        try:
            return author_of(given)
        except ValueError as error:
            raise SentError(str(error)) from None


def _inside(number: int, count: int) -> int:
    """A place in a list, which is all that an address can name."""
    if not 0 <= number < count:
        raise HTTPException(404)
    return number


def _told(note: Note, method: str) -> dict[str, Any]:
    return {
        "method": method,
        "blinded": bool(note.letter),
        "author": note.author,
        "usefulness": note.usefulness,
        "agreement": note.agreement,
        "text": note.text,
        "written": note.written,
    }
