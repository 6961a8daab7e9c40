"""Brings the catalogs of translations up to date with the messages, and compiles them: `make messages`."""

from cds_service.languages.domains import MACHINE
from cds_service.languages.extraction import Domain
from cds_service.languages.update import update
from hooks.publish.catalogs import KNOWLEDGE
from tests.support.running import ROOT

DOMAINS: tuple[Domain, ...] = (MACHINE, KNOWLEDGE)


def main() -> None:
    for domain in DOMAINS:
        for path in update(domain):
            print(f"wrote {path.relative_to(ROOT)}")  # noqa: T201


if __name__ == "__main__":
    main()
