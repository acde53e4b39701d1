"""How far each channel was heard without a gap: pure bookkeeping, written down by `core/turns/catching_up.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.store.marks import Place


class Marks:
    """Numbers only grow within a channel, as a platform's message ids and times do.

    A mark never passes a message that is being stored or could not be; and while something may have been missed, none
    passes what its channel was caught up to.
    """

    def __init__(self) -> None:
        self._heard: dict[Place, int] = {}
        self._open: dict[Place, set[int]] = {}
        self._written: dict[Place, int] = {}
        self._floors: dict[Place, int] | None = None
        self._holds = 0
        self._sought: set[Place] | None = set()  # None: everywhere

    def began(self, place: Place, number: int) -> None:
        """A message came in; until `ended` it counts as not stored."""
        self._heard[place] = max(number, self._heard.get(place, 0))
        self._open.setdefault(place, set()).add(number)

    def ended(self, place: Place, number: int) -> None:
        """It is stored, or nobody's business."""
        waiting = self._open.get(place)
        if waiting is not None:
            waiting.discard(number)
            if not waiting:
                del self._open[place]

    def hold(self) -> None:
        """From here on something may be missing: marks stay where they are until `caught_up` or `release`."""
        self._holds += 1
        self._sought = None
        if self._floors is None:  # else what was heard since the first gap says nothing about that gap
            self._floors = {place: self._reached(place) for place in self._heard}

    @property
    def holds(self) -> int:
        """How many holds there were: one who looks for what is missing notes it first, for `release`."""
        return self._holds

    def seek(self, places: Iterable[Place]) -> None:
        """Something is missing in these channels alone, each until it is caught up."""
        self._sought = set(places)

    def is_behind(self, place: Place) -> bool:
        """Whether a channel may lack a message that is older than what is heard in it now."""
        return self._sought is None or place in self._sought

    def caught_up(self, place: Place, number: int) -> None:
        """Nothing is missing there up to this message, whatever failed before."""
        self._heard[place] = max(number, self._heard.get(place, 0))
        for lost in [one for one in self._open.get(place, ()) if one <= number]:
            self.ended(place, lost)
        if self._floors is not None:
            self._floors[place] = max(number, self._floors.get(place, 0))
        if self._sought is not None:
            self._sought.discard(place)

    def release(self, holds: int) -> None:
        """Nothing is missing anywhere of what was when so many holds had been; a later one stays."""
        if holds == self._holds:
            self._floors = None
            self._sought = set()

    def due(self) -> dict[Place, int]:
        """The marks that are to be written down."""
        reached = {place: self._reached(place) for place in self._heard}
        if self._floors is not None:
            floors = self._floors
            reached = {place: min(number, floors.get(place, 0)) for place, number in reached.items()}
        return {place: number for place, number in reached.items() if number > self._written.get(place, 0)}

    def written(self, marks: Mapping[Place, int]) -> None:
        """These are written down."""
        for place, number in marks.items():
            self._written[place] = max(number, self._written.get(place, 0))

    def _reached(self, place: Place) -> int:
        waiting = self._open.get(place)
        return min(min(waiting) - 1, self._heard[place]) if waiting else self._heard[place]
