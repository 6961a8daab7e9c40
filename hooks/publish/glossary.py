"""The glossary of the pages, from `glossary.yaml`."""

from functools import cache
from pathlib import Path

from cds_service.review.glossary import Term, load_glossary


@cache
def glossary() -> tuple[Term, ...]:
    """All terms by name. Raises TableError."""
    return load_glossary(Path(__file__).with_name("glossary.yaml"))
