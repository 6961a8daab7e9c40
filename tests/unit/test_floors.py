"""Floors of the house, read from the imports: a module imports from its own floor or below, and never in a circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import ROOT

FLOORS = (
    ("charts", "errors", "settings", "telemetry"),
    ("cms",),
    ("core", "languages"),
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

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for folder in ("cds_service", "hooks")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
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


IN_ROOMS = [each for each in MODULES if each.startswith("cds_service.") and each != "cds_service.__init__"]


@pytest.mark.parametrize("module", IN_ROOMS)
def test_the_machine_imports_only_from_its_floor_or_below(module: str) -> None:
    mine = FLOOR[room_of(module)]
    rooms = {room_of(each) for each in imported(MODULES[module]) if each.startswith("cds_service.")}
    assert rooms <= {room for room, floor in FLOOR.items() if floor <= mine}


@pytest.mark.parametrize("module", [each for each in MODULES if each.startswith("hooks.")])
def test_the_knowledge_imports_only_from_its_floor_or_below(module: str) -> None:
    mine = KNOWLEDGE_FLOOR[room_of(module)]
    rooms = {(each.split(".")[0], room_of(each)) for each in imported(MODULES[module])}
    below = {("hooks", room) for room, floor in KNOWLEDGE_FLOOR.items() if floor <= mine}
    assert rooms <= below | {("cds_service", room) for room in OPEN_TO_KNOWLEDGE}


def test_no_module_imports_itself_through_others() -> None:
    arrows = {module: set(imported(path)) & set(MODULES) - {module} for module, path in MODULES.items()}
    while leaves := [module for module, needs in arrows.items() if not needs & set(arrows)]:
        for module in leaves:
            del arrows[module]
    assert arrows == {}, "these import one another in a circle"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_of_a_readable_length(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= MOST_LINES


def test_every_folder_states_its_law_in_four_lines() -> None:
    longer = {"cds_service/audit", "cds_service/intake/x12", "hooks"}  # these have guides of their own
    folders = {str(path.parent.relative_to(ROOT)) for path in MODULES.values()} - longer
    folders = {each for each in folders if "migrations" not in each}
    assert len(folders) > 15
    for folder in sorted(folders):
        assert len((ROOT / folder / "README.md").read_text().splitlines()) == 4, folder
