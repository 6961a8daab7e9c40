"""Rule: none of the diagnoses is on the list of the contractor's article."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from cds_service.cms.articles import Article
from cds_service.core.case import Case, ClaimType, Diagnosis, Line, Order, Procedure
from cds_service.core.concepts import BILLING
from cds_service.core.notation import codes_without_modifiers
from cds_service.core.rules import INFO, Because, Evidence, Finding, Passed, Question, SetUp, Undecided, Verdict, rule
from cds_service.languages.worded import Worded, listed, worded
from hooks.codes.sources import MCD_EDITIONS
from hooks.codes.tables import POLICIES
from hooks.coding.articles import NotListed, Open, compared, listed_diagnosis, parts_of
from hooks.coding.claims import settings_of
from hooks.coding.override_reasons import COVERAGE
from hooks.coding.published import source_of
from hooks.coding.questions import WHEN, WHICH_DIAGNOSES, WHO_PAYS
from hooks.coding.setting_and_payer import Payer, payer_of

CODES = ("93350", "93351", "93352", "C8928", "C8930", "0439T")
CAUTION = worded("Listing is not coverage, and not listed is not a denial: read the article and the record.")


@dataclass(frozen=True, slots=True)
class _Charged:
    """A code that is charged or ordered, with its diagnoses and all of its claim, and the records that state them."""

    code: str
    day: date | None
    claim: str
    claim_type: ClaimType
    own: tuple[Diagnosis, ...]
    every: tuple[Diagnosis, ...]
    record: Line | Order

    @property
    def codes(self) -> frozenset[str]:
        """The codes of all diagnoses; an empty one was not understood."""
        return frozenset(each.code for each in self.every)

    @property
    def evidence(self) -> Evidence:
        """The code with the diagnoses beside it."""
        return Evidence(self._seen(", ".join(dict.fromkeys(each.code for each in self.own if each.code))), self.record)

    def _seen(self, beside: str) -> Worded:
        if isinstance(self.record, Line):
            if beside:
                return worded("{code} is charged with {diagnoses}", code=self.code, diagnoses=beside)
            return worded("{code} is charged", code=self.code)
        if beside:
            return worded("{code} is ordered with {diagnoses}", code=self.code, diagnoses=beside)
        return worded("{code} is ordered", code=self.code)


@rule(
    order=INFO,
    claim=INFO,
    tables=(POLICIES,),
    sources=(MCD_EDITIONS,),
    override_reasons=COVERAGE,
    about=CODES,
    if_none=worded("no code of a stress echo or of contrast is under review"),
    set_up=SetUp(
        lambda case: bool(case.site.medicare) or case.tables.has("articles"),
        worded("not set up: name the Medicare contractor in the site's file and load its articles"),
    ),
)
def diagnosis_not_listed(case: Case) -> Iterator[Verdict]:
    """No diagnosis on the claim is on the list of the Medicare contractor's article.

    Why:
        Medicare contractors (MACs) publish articles with lists of diagnoses for a procedure, and look at a claim
        without any of them more closely. A list is not all of an article, so it is for a person to read the article
        and the record.

    Flags:
        For fee-for-service Medicare, a code of stress echo or contrast perfusion for which an article of the site's
        contractor, in force on the day, has a list, if none of the diagnoses of the line or its claim is on one. The
        articles are those of the loaded weekly copies, the contractor is the one in the site's file.

    Passes:
        Nothing found: a diagnosis is on a list, or no article restricts the code. This is not an approval. The rule is
        off where the site's file names no contractor and no articles are loaded.
    """
    found: dict[tuple[str, date | None, tuple[Article, ...]], list[_Charged]] = {}
    undecided: dict[Open, list[_Charged]] = {}
    for each in _charged(case):
        verdict = _verdict(each, case)
        if isinstance(verdict, Open):
            undecided.setdefault(verdict, []).append(each)
        elif verdict:
            found.setdefault((each.claim, each.day, verdict.articles), []).append(each)
        else:
            yield Passed(_nothing_found, each, case)
    for (_, day, articles), charged in found.items():
        yield _finding(charged, day, articles)
    for question, charged in undecided.items():
        evidence = tuple(each.evidence for each in charged)
        yield Undecided(question.why, question.reason, evidence, _question(question, charged[0], case))


def _question(asked: Open, charged: _Charged, case: Case) -> Question | None:
    """Asks for what the claim does not state: payer, day, diagnoses."""
    if _payer(charged, case) == "unknown":
        return WHO_PAYS
    if charged.day is None:
        return WHEN if case.site.medicare else None
    return WHICH_DIAGNOSES if asked.lacks_diagnosis and charged.claim else None


def _nothing_found(charged: _Charged, case: Case) -> Because:
    """Another payer, the diagnosis that an article lists, or no article for the code."""
    if _payer(charged, case) == "other" or charged.day is None:
        return Because(worded("the payer of {code} is not Medicare", code=charged.code), (charged.evidence,))
    for part in parts_of(charged.claim_type, case):
        if (reason := listed_diagnosis(charged.code, charged.day, part, charged.codes, case)) is not None:
            return Because(worded("{code}: {reason}", code=charged.code, reason=reason), (charged.evidence,))
    text = worded("no article in force on {day} restricts {code}", day=charged.day, code=charged.code)
    return Because(text, (charged.evidence,))


def _charged(case: Case) -> Iterator[_Charged]:
    if case.stage == "order":
        for order in case.orders:
            for code in codes_without_modifiers(order.concept.values(BILLING)):
                if code in CODES and case.is_in_focus(order):
                    yield _Charged(code, order.day, "", "unknown", order.diagnoses, order.diagnoses, order)
        return
    for line in case.lines.under_review():
        if line.code in CODES:
            own = line.diagnoses or _of_linked(line, case)
            every = (*own, *line.claim_diagnoses)
            yield _Charged(line.code, line.day, line.claim, _claim_type(line), own, every, line)


def _claim_type(line: Line) -> ClaimType:
    """The claim type, for a charge on no claim as its code or modifier tells."""
    settings = settings_of(line)
    if len(settings) > 1:
        return "unknown"
    return "professional" if settings[0] == "professional" else "institutional"


def _of_linked(line: Line, case: Case) -> tuple[Diagnosis, ...]:
    """For a charge on no claim: the reasons of the procedure and the order that it refers to."""
    linked: Iterable[Procedure | Order] = (*case.procedures, *case.orders) if not line.claim and line.links else ()
    return tuple(stated for each in linked if each.identity in line.links for stated in each.diagnoses)


def _verdict(charged: _Charged, case: Case) -> NotListed | Open | None:
    payer = _payer(charged, case)
    if payer == "other":
        return None
    if payer == "unknown":
        return Open("claim", worded("the payer is not known: only Medicare's contractors publish these articles"))
    if not case.site.medicare:
        return Open("claim", worded("the site's file names no Medicare contractor (`medicare`)"))
    if charged.day is None:
        return Open("claim", worded("{code} has no date of service", code=charged.code))
    return _by_part(charged, charged.day, case)


def _payer(charged: _Charged, case: Case) -> Payer:
    return payer_of(case, (charged.record,) if isinstance(charged.record, Line) else ())


def _by_part(charged: _Charged, day: date, case: Case) -> NotListed | Open | None:
    """The verdict by the contractor of the claim; of an unknown claim type, one that holds for each part."""
    parts = parts_of(charged.claim_type, case)
    verdicts = [compared(charged.code, day, part, charged.codes, case) for part in parts]
    if question := next((each for each in verdicts if isinstance(each, Open)), None):
        return question
    listless = [each for each in verdicts if isinstance(each, NotListed)]
    if len(listless) < len(verdicts):
        return None
    return NotListed(tuple(dict.fromkeys(article for each in listless for article in each.articles)))


def _finding(charged: list[_Charged], day: date | None, articles: tuple[Article, ...]) -> Finding:
    codes = ", ".join(dict.fromkeys(each.code for each in charged))
    return Finding(
        summary=worded(
            "{codes}: no diagnosis is on the list of {articles}; read the article and the record.",
            codes=codes,
            articles=listed(dict.fromkeys(each.row.name for each in articles)),
        ),
        evidence=tuple(each.evidence for each in charged),
        notes=(*(_in_force(each) for each in articles), CAUTION),
        day=day,
        sources=tuple(dict.fromkeys(source_of(each.release) for each in articles)),
    )


def _in_force(article: Article) -> Worded:
    row, release = article.row, article.release
    names = {"article": row.name, "version": str(row.version), "file": release.file, "edition": release.quarter}
    if row.first is None:
        return worded("{article} version {version}, by {file} of {edition}.", **names)
    return worded(
        "{article} version {version}, in force since {first}, by {file} of {edition}.", first=row.first, **names
    )
