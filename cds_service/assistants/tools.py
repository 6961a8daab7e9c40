"""The tools, without a protocol: their arguments, their answers, and the work behind them. All of them only read."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from cds_service.ask.answer import Answer as AskedAnswer
from cds_service.ask.asker import LONGEST_QUESTION, Asker
from cds_service.assistants.answers import CodeAnswer, FoundCode, ReviewAnswer, SearchAnswer, of_bundle, of_case
from cds_service.errors import BadRequest
from cds_service.fhir.sources import complete_parts
from cds_service.intake.fields import KEYS
from cds_service.intake.typed import TypedCase
from cds_service.intake.writer import CaseWriter
from cds_service.review.advisor import Advisor, Answer
from cds_service.review.articles import articles_on_code
from cds_service.review.payment import page_with_payments
from cds_service.review.reference import Reference, RulePage, rule_page
from cds_service.review.typed_cases import review_case
from cds_service.telemetry.calls import CallSummary
from cds_service.web.call_recorder import summary_of_bundle

LONGEST_QUERY = 100
LONGEST_CASE = 100_000  # characters of a case in notation
LONGEST_NAME = 100

Named = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]


class Arguments(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The arguments of a tool; others than its own are refused."""


class CodeArguments(Arguments, kw_only=True):
    """The code to explain."""

    code: Annotated[Named, msgspec.Meta(description="A CPT or HCPCS code of the service's tables.")]


class RuleArguments(Arguments, kw_only=True):
    """The rule to explain."""

    id: Annotated[Named, msgspec.Meta(description="The id of a rule, as findings name it.")]


class SearchArguments(Arguments, kw_only=True):
    """The words to search for."""

    query: Annotated[
        str,
        msgspec.Meta(
            max_length=LONGEST_QUERY,
            description="A code or the beginning of one, an NDC, a product's name, or words; empty lists all codes.",
        ),
    ] = ""


class BundleArguments(Arguments, kw_only=True):
    """The Bundle to review, as `POST /review` takes it."""

    bundle: Annotated[dict[str, Any], msgspec.Meta(description="A FHIR R4 Bundle with the records of one patient.")]
    stage: Annotated[
        Literal["order", "claim"] | None,
        msgspec.Meta(description="The stage to review at; without it, the Bundle's charges decide."),
    ] = None
    complete: Annotated[
        tuple[str, ...],
        msgspec.Meta(description="Resource types of which the Bundle holds all: only then is something absent."),
    ] = ()


class QuestionArguments(Arguments, kw_only=True):
    """The question to answer from the tables."""

    question: Annotated[
        str, msgspec.Meta(min_length=1, max_length=LONGEST_QUESTION, description="The question, in words.")
    ]


_NOTATION = "notation"
_MEANINGS = {
    "hook": "`order` or `claim`: the stage to review at; otherwise the content decides",
    "claim_type": "`professional` or `institutional`: the claim of `lines`",
    "place": "the place of service of the claim, two digits",
    "payer": "the payer's name, its code in the payer typology, or both",
    "day": "the date of service, YYYY-MM-DD",
    "bill": "the type of bill of a hospital's claim, four digits",
    "diagnoses": "diagnoses of the claim that no line names (ICD-10-CM)",
    "lines": "charge lines: CODE-MODIFIERxUNITS",
    "charged": "charges on no claim; the same as `lines`",
    "professional": "the lines of a professional claim",
    "institutional": "the lines of a hospital's claim",
    "earlier": "charges that are on record already, beside the claim",
    "given": "what was given, the dose, and what was discarded of the vial; `none` for nothing",
    "done": "the studies that were done",
    "ordered": "orders: studies by their code, agents by their product",
    "observed": "observations",
    "reported": "reports, by their conclusion",
    "known": "parts of the record that are complete although nothing is in them",
}
_Texts = str | tuple[str, ...] | None
ClaimArguments = msgspec.defstruct(
    "ClaimArguments",
    [
        (
            _NOTATION,
            Annotated[
                str | None,
                msgspec.Meta(description="The whole case in billers' notation; then no other argument is given."),
            ],
            None,
        ),
        *((key, Annotated[_Texts, msgspec.Meta(description=_MEANINGS[key])], None) for key in KEYS),
    ],
    bases=(Arguments,),
    kw_only=True,
    module=__name__,
    namespace={"__doc__": "A case in billers' notation, or by the keys of it."},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """The answer of a tool, with the review behind it, if there was one."""

    answer: msgspec.Struct
    review: Answer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool: its name, the words for assistants, the forms of its arguments and answer, and the work."""

    name: str
    title: str
    description: str
    arguments: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    run: Callable[[Any], Called]


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolbox:
    """The parts of the service that the tools use."""

    advisor: Advisor
    writer: CaseWriter
    reference: Reference
    asker: Asker

    def tools(self) -> tuple[Tool, ...]:
        """The tools, in the order in which they are listed."""
        return (
            Tool(
                name="review_claim",
                title="Review a claim",
                description="Review a claim or a case of a contrast stress echocardiogram, in billers' notation or by "
                "keys. Answers findings with fixes and sources, rules that passed and why, and what could not be "
                "checked. Give only what is known: what is not given is not taken for absent. Leave out names and "
                "numbers of patients.",
                arguments=ClaimArguments,
                answer=ReviewAnswer,
                run=self._review_claim,
            ),
            Tool(
                name="review_bundle",
                title="Review a FHIR Bundle",
                description="Review a FHIR R4 Bundle of one patient, as the service's POST /review does. Answers "
                "findings with fixes and sources, rules that passed and why, and what could not be checked.",
                arguments=BundleArguments,
                answer=ReviewAnswer,
                run=self._review_bundle,
            ),
            Tool(
                name="explain_code",
                title="Explain a code",
                description="The page of a CPT or HCPCS code: primaries, units, pairs, setting, modifiers, coverage, "
                "dated changes and this site's own statements, each with its source and date.",
                arguments=CodeArguments,
                answer=CodeAnswer,
                run=self._explain_code,
            ),
            Tool(
                name="explain_rule",
                title="Explain a rule",
                description="The page of a rule: why it exists, what it flags and passes, its tables and sources.",
                arguments=RuleArguments,
                answer=RulePage,
                run=self._explain_rule,
            ),
            Tool(
                name="search_codes",
                title="Search the codes",
                description="Find codes of the service's tables by code, NDC, product or words.",
                arguments=SearchArguments,
                answer=SearchAnswer,
                run=self._search_codes,
            ),
            Tool(
                name="ask",
                title="Ask the tables",
                description="Ask a question in words: on a code, a pair of codes, units from mL, modifiers, settings, "
                "documentation, payment or a change. Answered word for word from dated tables and by the rules, each "
                "sentence with its source; declined outside of them (`answered` is false, `declined` says why). "
                "`understood` and `not_understood` tell how it was read. No patient data.",
                arguments=QuestionArguments,
                answer=AskedAnswer,
                run=self._ask,
            ),
        )

    def code(self, code: str) -> CodeAnswer:
        """The page of a code, with payments and articles. Raises BadRequest if there is none."""
        page = self.reference.page(code)
        if page is None:
            raise BadRequest("`code`: not a code of these tables; search_codes lists them", "code")
        snapshot = self.advisor.tables.snapshot()
        articles = articles_on_code(page.code, self.advisor.site, snapshot)
        page, payments = page_with_payments(page, snapshot, self.reference.meaning)
        return CodeAnswer(page=page, payments=payments, articles=articles)

    def rule(self, rule_id: str) -> RulePage:
        """The page of a rule. Raises BadRequest if there is none."""
        wanted = rule_id.strip().lower().replace("_", "-")
        for rule in self.advisor.rules:
            if rule.id == wanted:
                return rule_page(rule, self.advisor)
        ids = ", ".join(rule.id for rule in self.advisor.rules)
        raise BadRequest(f"`id`: expected the id of a rule: one of {ids}", "id")

    def _review_claim(self, arguments: Any) -> Called:
        reviewed = review_case(self.advisor, self.writer, self._case(arguments))
        return Called(answer=of_case(reviewed), review=reviewed.answer)

    def _case(self, arguments: Any) -> TypedCase:
        fields = {key: _plain(value) for key in KEYS if (value := getattr(arguments, key)) is not None}
        if arguments.notation is None:
            return self.writer.parsed(fields)
        if fields:
            raise BadRequest(f"`{_NOTATION}`: expected either it or the keys {', '.join(KEYS)}", _NOTATION)
        if len(arguments.notation) > LONGEST_CASE:
            raise BadRequest(f"`{_NOTATION}`: expected at most {LONGEST_CASE:,} characters", _NOTATION)
        return self.writer.parsed_text(arguments.notation)

    def _review_bundle(self, arguments: BundleArguments) -> Called:
        body = msgspec.json.encode(arguments.bundle)
        answer = self.advisor.review_bundle(body, arguments.stage, complete_parts(arguments.complete))
        return Called(answer=of_bundle(answer), review=answer)

    def _explain_code(self, arguments: CodeArguments) -> Called:
        return Called(answer=self.code(arguments.code))

    def _explain_rule(self, arguments: RuleArguments) -> Called:
        return Called(answer=self.rule(arguments.id))

    def _search_codes(self, arguments: SearchArguments) -> Called:
        query = arguments.query.strip()
        result = self.asker.find(query)
        found = tuple(
            FoundCode(code=page.code, kind=page.kind, description=page.description, cited=page.cited)
            for page in result.pages
        )
        return Called(answer=SearchAnswer(query=query, corrected=result.corrected, codes=found))

    def _ask(self, arguments: QuestionArguments) -> Called:
        return Called(answer=self.asker.ask(arguments.question))


def _plain(value: str | tuple[str, ...]) -> str | list[str]:
    return list(value) if isinstance(value, tuple) else value


def call(tool: Tool, arguments: Mapping[str, Any]) -> tuple[Called, CallSummary]:
    """The answer of a tool, and the call's summary, which holds nothing of the arguments.

    Raises RequestError or UnreadableCase, which name the argument at fault and what was expected.
    """
    started = time.perf_counter()
    called = tool.run(_converted(arguments, tool.arguments))
    return called, _summary(tool.name, called.review, time.perf_counter() - started)


def _converted(arguments: Mapping[str, Any], form: type[msgspec.Struct]) -> msgspec.Struct:
    try:
        return msgspec.convert(arguments, form)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), form) from None


def _refusal(text: str, form: type[msgspec.Struct]) -> BadRequest:
    """An argument's fault, by msgspec's words for it, without a name or a value that was sent."""
    fault, _, where = text.partition(" - at `$")
    name = where.strip("`.").partition("[")[0]
    if fault.startswith("Object contains unknown field"):
        return BadRequest(f"expected only the arguments {', '.join(_names(form))}")
    if fault.startswith("Object missing required field"):
        name = fault.split("`")[1]
        return BadRequest(f"`{name}` is required", name)
    if fault.startswith("Invalid enum value"):
        return BadRequest(f"`{name}`: expected one of the values that the tool lists for it", name)
    return BadRequest(f"`{name}`: {fault[:1].lower()}{fault[1:]}", name)


def _names(form: type[msgspec.Struct]) -> Iterable[str]:
    return (field.encode_name for field in msgspec.structs.fields(form))


def _summary(name: str, answer: Answer | None, seconds: float) -> CallSummary:
    if answer is None:
        return CallSummary(service=name, seconds=seconds)
    return summary_of_bundle(name, answer, seconds)
