"""`cds-service site`: help with the site's file."""

import sys
from collections.abc import Callable

import click
import msgspec

from cds_service.cli import examples
from cds_service.onboarding.inputs import files_in
from cds_service.onboarding.stanza import stanza
from cds_service.onboarding.unknown import Candidates, Suggestions, suggestions
from cds_service.review.advisor import Advisor

_MOST_FAULTS = 20  # lines of one run


def site_group(create: Callable[[], Advisor], candidates: Candidates) -> click.Group:
    """The commands. `create` makes the advisor with the site's settings; `candidates` finds billing codes by words."""

    @click.group("site", epilog=examples("site suggest export/ > suggested.yaml"))
    def site() -> None:
        """Set up the site's file (CDS_SITE_FILE)."""

    @site.command(
        "suggest", epilog=examples("site suggest request.json bundle.json", "site suggest export/ > new.yaml")
    )
    @click.argument("paths", nargs=-1, required=True, metavar="FILE|FOLDER...")
    @click.option("--json", "as_json", is_flag=True, help="Print the counts and candidates as one JSON object.")
    def suggest(paths: tuple[str, ...], as_json: bool) -> None:
        """List the codes in your records that are not understood, with lines for the site's file.

        Reads CDS Hooks requests, Bundles, single resources, and NDJSON exports, also compressed with gzip. The output
        is YAML in which every line is a comment until you decide: nothing is mapped by itself. Codes that
        CDS_SITE_FILE maps are not listed again. Free text may be about a patient, so it is only counted.

        Exit code 0: everything was read. 2: something could not be read, or there was nothing to read.
        """
        faults = _Faults()
        advisor = create()
        found = suggestions(files_in(paths), advisor, candidates, faults.report)
        faults.summarize()
        if not found.resources and not faults.count:
            click.echo(f"nothing was read: no FHIR resource in {', '.join(paths)}", err=True)
        if as_json:
            click.echo(msgspec.json.encode(found).decode())
        elif found.resources:
            _show(found, advisor.site.time_zone is not None)
        sys.exit(2 if faults.count or not found.resources else 0)

    return site


class _Faults:
    """Prints what cannot be read, a line each, up to a number of lines."""

    def __init__(self) -> None:
        self.count = 0

    def report(self, name: str, line: int | None, reason: str) -> None:
        """Print a fault of a file, or of a line of it."""
        self.count += 1
        if self.count <= _MOST_FAULTS:
            click.echo(f"{name}: {reason}" if line is None else f"{name}: line {line}: {reason}", err=True)

    def summarize(self) -> None:
        """Print the number of faults that were not printed."""
        if self.count > _MOST_FAULTS:
            click.echo(f"and {self.count - _MOST_FAULTS:,} more that could not be read", err=True)


def _show(found: Suggestions, has_time_zone: bool) -> None:
    if found.not_understood or (found.utc_instants and not has_time_zone):
        for line in stanza(found, has_time_zone):
            click.echo(line)
    elif found.reviewed:
        click.echo(f"Everything was understood: {found.reviewed:,} of {found.resources:,} resources were reviewed.")
    else:
        resources = f"{found.resources:,} resource{'' if found.resources == 1 else 's'}"
        click.echo(f"None of {resources} is a charge, an order, a procedure or a drug given.")
    for reason, count in found.not_parsed.items():
        click.echo(f"not parsed: {reason} ({count:,})", err=True)
