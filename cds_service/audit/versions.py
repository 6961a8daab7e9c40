"""Versions of the rules, tables and site settings of an audit, for the comparison of two audits."""

import hashlib
import inspect
from collections.abc import Iterable
from typing import Any

import msgspec

from cds_service.core.rules import Rule
from cds_service.core.site import Site
from cds_service.core.tables import Table


def tables_of(rules: Iterable[Rule]) -> dict[str, dict[str, Any]]:
    """Every table that a rule uses, by name: title, version, size, and verified dates of its sources."""
    tables = {table.name: table for rule in rules for table in rule.tables}
    return {name: _table(tables[name]) for name in sorted(tables)}


def _table(table: Table[Any]) -> dict[str, Any]:
    return {
        "title": table.title,
        "version": _digest(msgspec.json.encode([table.sources, table.entries])),
        "entries": len(table.entries),
        "sources": [
            {"source": source.label, "checked": source.checked}
            | ({"verifiedThrough": str(source.verified_through)} if source.verified_through else {})
            for source in table.sources.values()
        ],
    }


def rules_of(rules: Iterable[Rule]) -> dict[str, dict[str, Any]]:
    """Every rule, by id: title, version of its source text, and tables."""
    return {
        rule.id: {
            "title": rule.title,
            "version": _digest(inspect.getsource(inspect.getmodule(rule.check) or rule.check).encode()),
            "tables": sorted(table.name for table in rule.tables),
        }
        for rule in rules
    }


def site_version(site: Site) -> str:
    """The version of the site's settings."""
    values = {name: getattr(site, name) for name in site.__slots__ if name != "__weakref__"}
    return _digest(repr(sorted((name, _plain(value)) for name, value in values.items())).encode())


def _plain(value: Any) -> str:
    """A text that does not depend on the order of sets and mappings."""
    if isinstance(value, dict):
        return repr(sorted((repr(key), _plain(each)) for key, each in value.items()))
    if isinstance(value, frozenset):
        return repr(sorted(map(repr, value)))
    if isinstance(value, tuple):
        return repr([_plain(each) for each in value])
    names = getattr(value, "__slots__", None)
    return repr([(name, _plain(getattr(value, name))) for name in names]) if names else repr(value)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
