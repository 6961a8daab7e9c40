"""Floors of the house, read from the imports: a module imports from its own floor or below, and never in a circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.running import ROOT
from tests.support.sources import by_folder

FLOORS = (
    ("charts", "errors", "settings", "telemetry"),
    ("cms", "core", "languages"),
    ("fhir",),
    ("intake",),
    ("cdshooks",),
    ("fetch",),
    ("database",),
    ("review",),
    ("auth",),
    ("ask", "audit", "sandbox", "onboarding"),
    ("web",),
    ("assistants",),
    ("app", "wiring", "server", "cli", "__main__"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
KNOWLEDGE_FLOORS = (
    ("codes",),
    ("coding",),
    ("prefetch", "rules"),
    ("claim_review", "encounter_discharge", "order_select", "order_sign"),
    ("__init__",),
    ("publish",),
)
KNOWLEDGE_FLOOR = {room: number for number, rooms in enumerate(KNOWLEDGE_FLOORS) for room in rooms}

# What the knowledge may use of the machine: the vocabulary of rules, and the shapes of what it hands over.
OPEN_TO_KNOWLEDGE = {"cms", "core", "cdshooks", "review", "ask", "audit", "languages"}


def name_of(path: Path) -> str:
    """The name by which a file is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


MODULES = {name_of(path): path for folder in ("cds_service", "hooks") for path in sorted((ROOT / folder).rglob("*.py"))}
MOST_LINES = 400


def imported(path: Path) -> Iterator[str]:
    """The modules of this project that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name.split(".")[0] in {"cds_service", "hooks"})
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {"cds_service", "hooks"}:
            for each in node.names:
                name = f"{node.module}.{each.name}"
                yield name if name in MODULES else str(node.module)


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


@by_folder(path for name, path in MODULES.items() if name.startswith("cds_service.") and name != "cds_service.__init__")
def test_the_machine_imports_only_from_its_floor_or_below(paths: list[Path]) -> None:
    assert paths
    for path in paths:
        mine = FLOOR[room_of(name_of(path))]
        rooms = {room_of(each) for each in imported(path) if each.startswith("cds_service.")}
        assert rooms <= {room for room, floor in FLOOR.items() if floor <= mine}, path


@by_folder(path for name, path in MODULES.items() if name.startswith("hooks."))
def test_the_knowledge_imports_only_from_its_floor_or_below(paths: list[Path]) -> None:
    assert paths
    for path in paths:
        mine = KNOWLEDGE_FLOOR[room_of(name_of(path))]
        rooms = {(each.split(".")[0], room_of(each)) for each in imported(path)}
        below = {("hooks", room) for room, floor in KNOWLEDGE_FLOOR.items() if floor <= mine}
        assert rooms <= below | {("cds_service", room) for room in OPEN_TO_KNOWLEDGE}, path


def test_no_module_imports_itself_through_others() -> None:
    arrows = {module: set(imported(path)) & set(MODULES) - {module} for module, path in MODULES.items()}
    while leaves := [module for module, needs in arrows.items() if not needs & set(arrows)]:
        for module in leaves:
            del arrows[module]
    assert arrows == {}, "these import one another in a circle"


@by_folder(MODULES.values())
def test_a_module_is_of_a_readable_length(paths: list[Path]) -> None:
    assert paths
    longer = [path for path in paths if len(path.read_text().splitlines()) > MOST_LINES]
    assert longer == []


def test_every_folder_states_its_law_in_four_lines() -> None:
    longer = {"cds_service/audit", "cds_service/intake/x12", "hooks"}  # these have guides of their own
    folders = {str(path.parent.relative_to(ROOT)) for path in MODULES.values()} - longer
    folders = {each for each in folders if "migrations" not in each}
    assert len(folders) > 15
    for folder in sorted(folders):
        assert len((ROOT / folder / "README.md").read_text().splitlines()) == 4, folder
