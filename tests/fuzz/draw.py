"""The case of a number: the same seed and number give the same case, on every machine."""

import random
from collections.abc import Callable, Sequence
from functools import partial

from tests.fuzz.bases import Base
from tests.fuzz.calls import mutated, rearranged
from tests.fuzz.case import Case
from tests.fuzz.claim_files import claim_file
from tests.fuzz.envelope import enveloped, reshaped
from tests.fuzz.fetched import fetched
from tests.fuzz.pages import feedback, other_method, page, sandbox

# How often each is drawn, in a hundred.
_ALONE: dict[Callable[[random.Random], Case], int] = {page: 6, other_method: 2, feedback: 4, claim_file: 4}
_FROM_BASES: dict[Callable[[Base, random.Random], Case], int] = {
    reshaped: 6,
    enveloped: 10,
    rearranged: 15,
    mutated: 52,
    sandbox: 2,
}
_FETCHED = 3


class Deck:
    """Good requests to draw from; samples, rules' cases and the corpus take turns, whatever their number.

    Without a FHIR server, nothing is drawn that fetches.
    """

    def __init__(self, bases: Sequence[Base], seed: int, fhir_server: str | None = None) -> None:
        self._seed = seed
        self._by_origin: dict[str, list[Base]] = {}
        for each in bases:
            self._by_origin.setdefault(each.origin, []).append(each)
        self._from_bases = _FROM_BASES | ({partial(fetched, fhir_server): _FETCHED} if fhir_server else {})

    def case(self, number: int) -> Case:
        """The case of a number."""
        rng = random.Random(f"{self._seed}/{number}")
        if rng.random() < sum(_ALONE.values()) / 100:
            (alone,) = rng.choices(list(_ALONE), list(_ALONE.values()))
            return alone(rng)
        (made,) = rng.choices(list(self._from_bases), list(self._from_bases.values()))
        return made(self._base(rng), rng)

    def _base(self, rng: random.Random) -> Base:
        return rng.choice(self._by_origin[rng.choice(list(self._by_origin))])
