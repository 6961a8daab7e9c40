"""Codes for which a code is mistaken: those of the same kind, of which one is right at a time."""

from hooks.codes.tables import CODES, PRODUCTS, STUDIES, CodeEntry, StudyCode

_MOST = 4  # a longer list is no help in choosing


def neighbors(code: str) -> tuple[CodeEntry, ...]:
    """The codes beside a code, in the order of the table; none where too many are alike to choose by their names."""
    entries = {entry.code: entry for entry in CODES}
    mine = _family(entries[code])
    alike = tuple(entry for entry in entries.values() if entry.code != code and _family(entry) == mine)
    current = tuple(entry for entry in alike if not _is_discontinued(entry.code))
    return current if len(current) <= _MOST else ()


def _family(entry: CodeEntry) -> tuple[object, ...]:
    if entry.kind in {"supply", "drug"}:
        return (entry.kind,)
    study = next(iter(STUDIES.history(entry.code)), None)
    return (entry.kind, entry.hospital, *(_sort(study) if study else ("", entry.words.split()[0])))


def _sort(study: StudyCode) -> tuple[object, ...]:
    """Two add-ons for contrast are alike, whatever study they belong to."""
    return ("contrast",) if study.add_on else (study.kind, study.contrast)


def _is_discontinued(code: str) -> bool:
    return any(product.discontinued for product in PRODUCTS.history(code))
