"""The parts of the project whose decisions are mutated, the score that each is to reach, and the tests that judge."""

from dataclasses import dataclass
from pathlib import Path

from tests.support.running import ROOT


@dataclass(frozen=True)
class Part:
    """Modules that are judged together. `target` is the share of mutants, in percent, that tests must notice
    in this and the other parts with the same target.

    `judges` are files of tests that look at all that the part makes, so that they judge each of its modules first.
    """

    name: str
    patterns: tuple[str, ...]
    target: int
    judges: tuple[str, ...] = ()

    def modules(self) -> list[Path]:
        """The modules, relative to the root of the project."""
        return [
            path.relative_to(ROOT)
            for pattern in self.patterns
            for path in sorted(ROOT.glob(pattern))
            if path.name != "__init__.py"
        ]


PARTS = (
    Part("rules", ("hooks/rules/*.py",), 90),
    Part("coding", ("hooks/coding/*.py", "hooks/codes/*.py", "hooks/*.py"), 90),
    Part("publish", ("hooks/publish/*.py",), 90, judges=("tests/unit/test_published.py",)),
    Part("reading", ("cds_service/fhir/*.py",), 85),
    Part("core", ("cds_service/core/*.py",), 85),
    Part("actions", ("cds_service/cdshooks/actions.py", "cds_service/cdshooks/size_limits.py"), 85),
    Part("tables", ("cds_service/cms/*.py", "cds_service/cms/layouts/*.py"), 85),
    Part("intake", ("cds_service/intake/*.py", "cds_service/intake/x12/*.py"), 85),
    Part("tokens", ("cds_service/auth/tokens.py",), 85),
)

# The cases of rules say what a biller reads, whichever module decides it.
CASES = "tests/rules/test_cases.py"

# Tests that run in one process. Those left out start processes, read the text of the sources, or repeat for thousands
# of records what the cases say.
TEST_FOLDERS = ("tests/rules", "tests/unit", "tests/ask")
LEFT_OUT = (
    "tests/rules/test_adding_a_rule.py",
    "tests/rules/test_blur.py",
    "tests/rules/test_scope.py",
    "tests/unit/test_cli.py",
    "tests/unit/test_cli_check.py",
    "tests/unit/test_cli_clients.py",
    "tests/unit/test_cli_sample.py",
    "tests/unit/test_configuration.py",
    "tests/unit/test_examples.py",
    "tests/unit/test_floors.py",
    "tests/unit/test_layout.py",
    "tests/unit/test_long_calls.py",
    "tests/unit/test_mutants.py",
    "tests/unit/test_outbound_fhir.py",
    "tests/unit/test_site_file.py",
)


def judges_of(module: str) -> frozenset[str]:
    """The files of tests that judge a module before all others."""
    return frozenset(name for part in PARTS if any(map(Path(module).match, part.patterns)) for name in part.judges)


def judging_files() -> dict[str, list[str]]:
    """The files of tests that judge mutants, by their folder; all relative to the root of the project."""
    found = {}
    for folder in TEST_FOLDERS:
        names = [str(path.relative_to(ROOT)) for path in sorted((ROOT / folder).glob("test_*.py"))]
        found[folder] = [name for name in names if name not in LEFT_OUT]
    return found
