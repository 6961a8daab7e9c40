"""The names under `services` of a registration: what a client may call, besides the CDS Hooks services."""

from collections.abc import Collection

# Surfaces by name, with their paths; all paths below them belong to them.
SURFACES = {
    "review": ("/review", "/claim"),
    "reference": ("/ask", "/codes", "/rules", "/modifiers", "/tables", "/glossary", "/fhir"),
    "metrics": ("/metrics",),
    "insights": ("/insights",),
    "sandbox": ("/", "/sandbox"),
    "mcp": ("/mcp",),
}

# These are about all clients together, so that a registration without `services` does not open them.
ONLY_WHERE_LISTED = frozenset({"metrics", "insights", "sandbox"})

# Every client may read these: the descriptions of the interface, and the list of services.
DESCRIPTIONS = ("/hooks", "/openapi.json", "/api")
_OPEN_TO_ALL = ("/cds-services", *DESCRIPTIONS)


def surface_of(path: str) -> str | None:
    """The name of the surface that a path belongs to, None if every client may read it.

    A path that belongs to none has the empty name, which no registration lists.
    """
    if any(_is_below(path, each) for each in _OPEN_TO_ALL):
        return None
    return next((name for name, paths in SURFACES.items() if any(_is_below(path, each) for each in paths)), "")


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith((f"{root}/", f"{root}."))


def may_call(name: str, listed: Collection[str] | None) -> bool:
    """True if a registration opens a service or surface; `listed` are its `services`, None if it names none."""
    return name not in ONLY_WHERE_LISTED if listed is None else name in listed
