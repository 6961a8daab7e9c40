"""NCCI pairs in the tables: the edit for two codes in a setting on a date of service."""

from datetime import date
from typing import Literal

from hooks.codes.tables import PAIRS, ClaimSetting, PairRow

Edit = Literal["never", "with modifier", "none", "not known"]


def edit_in_table(one: str, other: str, day: date | None, setting: ClaimSetting) -> tuple[Edit, PairRow | None]:
    """The edit for a column 1 and a column 2 code, and its row; `not known` on days that no release covers."""
    rows = [row for row in PAIRS.history(one) if row.setting == setting and other in (*row.never, *row.with_modifier)]
    if not rows:
        return "none", None
    row = next((row for row in rows if row.in_force(day)), None)
    if row is None:
        ended = day is not None and all(row.last and row.last < day for row in rows)
        return ("none" if ended else "not known"), None
    return ("never" if other in row.never else "with modifier"), row
