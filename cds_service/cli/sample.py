"""`cds-service sample`: a valid sample request from billers' notation."""

import json
from pathlib import Path
from typing import Any

import click

from cds_service.cli import examples
from cds_service.errors import UnreadableInput
from cds_service.fhir.validate import faults_in
from cds_service.intake.resources import PATIENT
from cds_service.intake.writer import CaseWriter

_SYNTHETIC = {
    "resourceType": "Patient",
    "id": PATIENT,
    "name": [{"family": "Synthetic", "given": ["Sample"]}],
    "gender": "unknown",
    "birthDate": "1960-01-01",
}


def sample_command(writer: CaseWriter) -> click.Command:
    """The command; `writer` knows the names of products and codes."""

    @click.command(epilog=examples('sample "CODE-26, CODEx2-JZ" --claim professional --payer Medicare'))
    @click.argument("lines", default="")
    @click.option("--claim", type=click.Choice(["professional", "institutional"]), help="Put the lines on a claim.")
    @click.option("--place", help="Place of service of the claim, such as 11.")
    @click.option("--payer", help="The payer's name, such as Medicare.")
    @click.option("--day", help="Date of service as YYYY-MM-DD; default 2026-03-02.")
    @click.option("--given", multiple=True, metavar="TEXT", help='Contrast given, such as "PRODUCT 1.3 mL".')
    @click.option("--done", multiple=True, metavar="CODE", help="A procedure on the record.")
    @click.option("--ordered", multiple=True, metavar="CODE", help="An order; makes it a call at order time.")
    @click.option("--earlier", metavar="LINES", help="Charges that are already on the record, beside the claim.")
    @click.option("--observed", multiple=True, metavar="TEXT", help='An observation, such as "LOINC 8867-4".')
    @click.option("--complete", multiple=True, metavar="KEY", help="A prefetch key that is complete, even if empty.")
    @click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file to write; default: print.")
    def sample(lines: str, out: Path | None, **options: Any) -> None:
        """Write a CDS Hooks request from LINES in billers' notation; all of its data is synthetic.

        LINES are codes with units and modifiers: "CODE-26, CODE, CODEx2-JZ".
        """
        text = _request(writer, lines, options)
        if out is None:
            click.echo(text, nl=False)
        else:
            out.write_text(text, encoding="utf-8")

    return sample


def _request(writer: CaseWriter, lines: str, options: dict[str, Any]) -> str:
    """The request as JSON. Raises UnreadableInput where it would not be valid FHIR."""
    request = writer.request(writer.parsed(_case(lines, options)))
    request["prefetch"] = {"patient": _SYNTHETIC} | request["prefetch"]
    text = json.dumps(request, indent=2, ensure_ascii=False) + "\n"
    if faults := faults_in(text.encode()):
        raise UnreadableInput(f"this would not be valid FHIR: {faults[0].path}: {faults[0].reason}")
    return text


def _case(lines: str, options: dict[str, Any]) -> dict[str, Any]:
    lists = {name: list(options[name]) for name in ("given", "done", "ordered", "observed") if options[name]}
    texts = {name: options[name] for name in ("place", "payer", "day", "earlier") if options[name]}
    charges = {options["claim"] or "lines": lines}
    stage = {"hook": "order"} if options["ordered"] else {}
    return charges | stage | lists | texts | {"known": list(options["complete"])}
