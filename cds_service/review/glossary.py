"""The glossary: words of billing as the pages and cards use them."""

from pathlib import Path

from cds_service.core.tables import Entry, load_table
from cds_service.errors import TableError
from cds_service.review.reference import Citation, Part, cited


class Term(Part, kw_only=True):
    """A word and its meaning. `also` are other names of it, `codes` examples, and `see` the ids of related terms."""

    id: str
    name: str
    text: str
    cited: Citation
    also: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    see: tuple[str, ...] = ()


class TermEntry(Entry, frozen=True):
    """A term as its file has it; `code` is its id."""

    name: str
    text: str
    also: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    see: tuple[str, ...] = ()


def load_glossary(path: Path) -> tuple[Term, ...]:
    """All terms of a file, by name. Raises TableError, also if a term refers to one that is missing."""
    table = load_table(path, TermEntry)
    unknown = {name for entry in table for name in entry.see} - {entry.code for entry in table}
    if unknown:
        raise TableError(f"{path.name}: `see` names terms that are not in the file: {', '.join(sorted(unknown))}")
    terms = (
        Term(
            id=entry.code,
            name=entry.name,
            text=entry.text,
            cited=cited(table, entry),
            also=entry.also,
            codes=entry.codes,
            see=entry.see,
        )
        for entry in table
    )
    return tuple(sorted(terms, key=lambda term: term.name.lower()))
