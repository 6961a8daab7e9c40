"""Writes the generated parts of the documents: `make docs`, or `python -m tests.documents.generate`."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hooks
from cds_service.settings import table
from hooks.coding.understood import GROUNDS
from tests.support.running import ROOT


def rules_table() -> str:
    """Every rule with its title, as a Markdown table."""
    rows = [f"| `{rule.id}` | {rule.title} |" for rule in hooks.all_rules()]
    return "\n".join(["| rule | finds |", "|---|---|", *rows])


def understood_table() -> str:
    """The grounds on which a record is understood, as a Markdown table."""
    rows = [f"| {each.kind} | {each.words} | {each.why} |" for each in GROUNDS]
    return "\n".join(["| record | understood by | because |", "|---|---|---|", *rows])


def check_output() -> str:
    """The output of the README's example of `cds-service check`, as an indented block."""
    command = re.search(r"^    \$ \.venv/bin/cds-service (.+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    if command is None:
        raise RuntimeError("README.md: expected an example of `cds-service check`")
    arguments = [sys.executable, "-m", "cds_service", *command[1].split()]
    result = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    return "\n".join(f"    {line}".rstrip() for line in result.stdout.strip().splitlines())


PARTS: dict[Path, dict[str, Callable[[], str]]] = {
    ROOT / "README.md": {"rules": rules_table, "output": check_output},
    ROOT / "deploy" / "README.md": {"settings": table},
    ROOT / "hooks" / "README.md": {"understood": understood_table},
}


def generated(path: Path) -> str:
    """A document with its generated parts as they are now."""
    text = path.read_text(encoding="utf-8")
    for name, make in PARTS[path].items():
        pattern = re.compile(rf"(<!-- {name}\b[^>]* -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        content = make()
        found = pattern.findall(text)
        if len(found) != 1:
            raise RuntimeError(f"{path.name}: expected the marks of `{name}` once")
        text = pattern.sub(f"{found[0][0]}{content}\n{found[0][1]}".replace("\\", r"\\"), text)
    return text


def main() -> None:
    """Write every document."""
    for path in PARTS:
        path.write_text(generated(path), encoding="utf-8")


if __name__ == "__main__":
    main()
