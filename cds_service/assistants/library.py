"""The resources and the prompt: pages by address, and the words with which an assistant reads a denial."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import msgspec

from cds_service.assistants.tools import LONGEST_CASE, LONGEST_NAME, Toolbox
from cds_service.errors import BadRequest

SCHEME = "contrast-echo"
CODES, RULES = f"{SCHEME}:///codes/{{code}}", f"{SCHEME}:///rules/{{id}}"


@dataclass(frozen=True, slots=True)
class Listed:
    """A resource: its address, its name, and its title."""

    uri: str
    name: str
    title: str


def listed(toolbox: Toolbox) -> Iterator[Listed]:
    """All pages: of the codes, then of the rules."""
    for page in toolbox.reference.pages:
        yield Listed(CODES.replace("{code}", page.code), page.code, page.description)
    for rule in toolbox.advisor.rules:
        yield Listed(RULES.replace("{id}", rule.id), rule.id, rule.title)


def read(uri: str, toolbox: Toolbox) -> msgspec.Struct:
    """The page at an address. Raises BadRequest if there is none."""
    kind, name = _split(uri)
    if kind == "codes":
        return toolbox.code(name)
    if kind == "rules":
        return toolbox.rule(name)
    raise BadRequest(f"`uri`: expected {CODES} or {RULES}", "uri")


def _split(uri: str) -> tuple[str, str]:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "", ""
    steps = parts.path.split("/")
    if parts.scheme != SCHEME or parts.netloc or parts.query or parts.fragment or len(steps) != 3:
        return "", ""
    name = unquote(steps[2])
    return (steps[1], name) if len(name) <= LONGEST_NAME else ("", "")


# --- the prompt -----------------------------------------------------------------------------------------------------

PROMPT = "read_denial"
PROMPT_TITLE = "Read a denial"
PROMPT_ABOUT = "Find out why a payer denied lines of a contrast stress echo, and what can be corrected."
ARGUMENTS = {
    "denial": "The denied lines with the payer's reason and remark codes, as they stand on the remittance.",
    "claim": "The claim as it was submitted, in billers' notation, if it is at hand.",
}

_WORDS = """\
A payer has denied lines of a claim of a contrast stress echocardiogram. Find the reason with the tools of this server.

1. Take no name, number or birth date of a patient over into a call. If the text below has one, leave it out.
2. Write the claim in billers' notation: lines with modifiers and units, claim type, place of service or type of bill,
   payer, date of service, and what was given. Leave out what is not known, and ask for it; do not guess.
3. Call review_claim. For each finding on a denied line, name the rule, its evidence and its fix. explain_rule gives the
   reasons of a rule, explain_code the facts on a code, ask answers a question from the tables or declines it.
4. Keep apart: findings; rules that passed; what was not checked, with what is missing to check it. A rule that was not
   checked has not passed.
5. Cite each fact with the source and the date that the tool gives. A statement of the site is the site's own: say so.
6. Whether the payer will pay, which diagnosis to use and what was medically necessary are not in these tables: say that
   a person has to decide them. Never propose to charge what the record does not show.
"""


def denial_words(arguments: dict[str, str]) -> str:
    """The prompt for a denial. Raises BadRequest if an argument is missing, unknown or too long."""
    for name, value in arguments.items():
        if name not in ARGUMENTS:
            raise BadRequest(f"expected only the arguments {', '.join(ARGUMENTS)}")
        if len(value) > LONGEST_CASE:
            raise BadRequest(f"`{name}`: expected at most {LONGEST_CASE:,} characters", name)
    if not arguments.get("denial", "").strip():
        raise BadRequest("`denial` is required", "denial")
    claim = arguments.get("claim", "").strip()
    parts = [_WORDS, "The denial:", arguments["denial"].strip(), *(["The claim:", claim] if claim else [])]
    return "\n\n".join(part.rstrip() for part in parts)
