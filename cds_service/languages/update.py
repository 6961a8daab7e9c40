"""Brings the catalogs of a domain up to date with its messages, and compiles them.

A message that is new has no translation yet, one whose English text changed is fuzzy; both are shown in English until
a person translates them. Files are written only if their content changes.
"""

from collections.abc import Iterable
from copy import deepcopy
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from cds_service.languages.catalogs import NOT_CHECKED
from cds_service.languages.extraction import Domain, template_of
from cds_service.languages.known import LANGUAGES, Language

_COMMENT = "# Translations of {name} into {language}. How to review them: deploy/translations.md"
_MACHINE = "machine, for this project"
_WIDTH = 120


def update(domain: Domain) -> tuple[Path, ...]:
    """Bring all catalogs of a domain up to date. Returns the files that changed. Raises TableError."""
    template = template_of(domain)
    return tuple(changed for language in LANGUAGES[1:] for changed in _update(domain, template, language))


def read_catalog(path: Path, language: Language) -> Catalog:
    """A catalog as translators write it."""
    with path.open("rb") as stream:
        return read_po(stream, locale=language.cldr, abort_invalid=True)


def compiled(catalog: Catalog) -> bytes:
    """The catalog as the service reads it, without fuzzy and missing translations."""
    stream, complete = BytesIO(), deepcopy(catalog)
    # Babel puts the English in the place of a missing plural form, where nothing tells that it is English.
    for each in [each for each in complete if each.pluralizable and not all(each.string or ())]:
        complete.delete(each.id)
    write_mo(stream, complete)
    return stream.getvalue()


def written(catalog: Catalog) -> bytes:
    """The catalog as translators read it."""
    stream = BytesIO()
    # Places have no lines, so that a change above a message does not touch every catalog.
    write_po(stream, catalog, width=_WIDTH, include_lineno=False)
    return stream.getvalue()


def _update(domain: Domain, template: Catalog, language: Language) -> Iterable[Path]:
    path = domain.catalogs / f"{language.tag}.po"
    catalog = read_catalog(path, language) if path.exists() else _new(domain, language)
    catalog.update(template, update_header_comment=False, update_creation_date=False)
    yield from _write(path, written(catalog))
    yield from _write(path.with_suffix(".mo"), compiled(read_catalog(path, language)))


def _new(domain: Domain, language: Language) -> Catalog:
    return Catalog(
        locale=language.cldr,
        project="contrast-echo-cds",
        version="1",
        header_comment=_COMMENT.format(name=domain.name, language=language.locale.get_display_name("en")),
        last_translator=_MACHINE,
        language_team=NOT_CHECKED,
        msgid_bugs_address="see deploy/translations.md",
        fuzzy=False,
    )


def _write(path: Path, content: bytes) -> Iterable[Path]:
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        yield path
