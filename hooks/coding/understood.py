"""Records that are understood: a table of the grounds, for each kind of record.

A record that none of the grounds covers is not understood. It may be anything, so no rule concludes anything from its
absence; `alternatives.py` reads it in every way that matters. The grounds are wide enough for everyday records: another
procedure's code, a revenue-code line, metoprolol by its name are understood as something else.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Literal

from cds_service.core.case import Case, Line
from cds_service.core.concepts import BILLING, CVX, LOINC, NDC, NO_SYSTEM, REVENUE, RXNORM, SNOMED, Code, Concept
from cds_service.core.notation import codes_without_modifiers
from hooks.codes.tables import DOCUMENTATION, KNOWN_CODES, PRODUCTS
from hooks.coding.products import agent_in, is_of_agents_labeler
from hooks.coding.stress_drugs import names_stress_drug
from hooks.coding.study_codes import names_study

Kind = Literal["charge", "drug", "service"]


# --- names ----------------------------------------------------------------------------------------------------------

_LETTERS = re.compile(r"[^\W\d_]{2,}")
_SHORTEST_NAME = 5  # letters; shorter words are mostly abbreviations

# Words of a text that may speak of a contrast agent, and of an echo.
_AGENT_WORDS = re.compile(
    r"contrast|enhanc|agent|bubble|sphere|(?:hexa|octa|per)fluor|flutr|echo|sono|ultraso|imag|opacif|stress|\blv\b|"
    r"\bu[ce]as?\b|diagnostic",
    re.IGNORECASE,
)
_ECHO_WORDS = re.compile(
    r"echo|(?<!electro)cardi|heart|coronar|stress|treadmill|exercis|contrast|enhanc|agent|bubble|opacif|ultraso|sonogr|"
    r"doppler|m-?mode|perfus|dobut|strain|ventric|transthor|transesoph|\b(?:tte|tee|dse|ese|sse|se|us|usg|ett|lv|[23]-?d)"
    r"\b|wall motion|imag",
    re.IGNORECASE,
)

# A text without any code has to look like the name of a drug: a strength, a form, a common name, or a stem of the
# international nonproprietary names; and like the name of a service: a common one, or the ending of an operation.
_STRENGTH = re.compile(r"\d\s*(?:mg|mcg|g|meq|mmol|units?|%)(?![a-z])", re.IGNORECASE)
_DRUG_FORMS = re.compile(
    r"vaccin|\b(?:tab(?:let)?s?|cap(?:sule)?s?|patch|inhaler|drops|ointment)\b|"
    r"\b(?:sterile water|water for injection|saline|sodium chloride|dextrose|lactated ringer|heparin|aspirin|insulin|"
    r"oxygen|nitroglycerin|adenosine|"
    r"regadenoson|aminophylline|epinephrine|acetaminophen|ibuprofen|fentanyl|morphine|furosemide|potassium|magnesium)|"
    r"\b(?:adenoscan|advil|ancef|ativan|benadryl|brevibloc|cardizem|d5w|decadron|dilaudid|diprivan|eliquis|humalog|"
    r"lantus|lasix|lexiscan|lipitor|lopressor|lovenox|motrin|narcan|nitrostat|norvasc|novolog|pepcid|plavix|protonix|"
    r"reglan|solu-?medrol|tenormin|toprol|toradol|tylenol|valium|versed|xarelto|zestril|zofran)\b|"
    r"(?:olol|pril|sartan|statin|azole|mycin|micin|cillin|cef\w+|dipine|caine|parin|xaban|grel|gliptin|gliflozin|zepam|"
    r"zolam|setron|prazole|tidine|thiazide|amine|curium|lukast|terol|sone|olone|tropine)\b",
    re.IGNORECASE,
)
_SERVICE_FORMS = re.compile(
    r"(?:ectomy|oscopy|otomy|ostomy|plasty|centesis|desis|rrhaphy)\b|biopsy|x-?ray|radiograph|mammogra|electrocardiogra|"
    r"\b(?:ecg|ekg|mri|ct scan|cbc|bmp|cmp)\b|blood|panel|culture|urin|vaccin|immuni|dialysis|hemoglobin|glucose|"
    r"office visit|consultation|therapy session|screening|questionnaire|insertion|catheter|venipuncture|phlebotom|"
    r"intubation|transfusion|sutur|wound care|physical therapy",
    re.IGNORECASE,
)

# Words that say nothing about which drug or service it is.
_EMPTY_WORDS = frozenset(
    """
    additional administered administration approved attached biologic biologics cardiac cardiology charge charges
    clinical complete completed compound compounded custom default department diagnostic documentation dosage drug drugs
    entry exam examination fluid fluids formulary generic given hospital infusion injectable injection intravenous iv
    limited listed mcg med medication medications meds meq mg miscellaneous mixture ml mmol nonformulary order other
    outpatient patient patients performed pharmacy powder procedure procedures product protocol report research service
    services solution special study substance supplied supply suspension syringe technical unclassified unit units
    unknown unlisted unspecified visit worksheet
    """.split()
)
_AGENT_NAMES = tuple(sorted({word for product in PRODUCTS for words in product.words for word in words.split()}))
_SHORTEST_START = 4  # letters of a name that is cut short: `SULF HEXAF`


def _folded(words: Iterable[str]) -> list[str]:
    """Texts without accents."""
    return [
        "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
        for text in words
    ]


def _speaks_of(pattern: re.Pattern[str], words: Iterable[str]) -> bool:
    return any(pattern.search(text) for text in words)


def _names_other_drug(concept: Concept) -> bool:
    words = _folded(concept.words)
    if _speaks_of(_AGENT_WORDS, words) or any(map(_is_nearly_an_agent, _telling(words))):
        return False
    if _speaks_of(_DRUG_FORMS, words):
        return True
    has_strength = _speaks_of(_STRENGTH, words)
    return bool(_telling(words) if has_strength else concept.codes and _telling(words, _SHORTEST_NAME))


def _names_other_service(concept: Concept) -> bool:
    words = _folded(concept.words)
    if _speaks_of(_ECHO_WORDS, words):
        return False
    return _speaks_of(_SERVICE_FORMS, words) or bool(concept.codes and _telling(words, _SHORTEST_NAME))


def _telling(words: Iterable[str], shortest: int = 1) -> list[str]:
    """The words of some letters that say which drug or service it is."""
    found = {each.lower() for text in words for each in _LETTERS.findall(text)} - _EMPTY_WORDS
    return [each for each in found if len(each) >= shortest]


def _is_nearly_an_agent(word: str) -> bool:
    """True if a word is a typing error of a name, or the start of one."""
    if len(word) >= _SHORTEST_START and any(name.startswith(word) for name in _AGENT_NAMES):
        return True
    return len(word) >= _SHORTEST_NAME and bool(get_close_matches(word, _AGENT_NAMES, 1, 0.8))


# --- the table of grounds -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ground:
    """A ground on which a record of a kind is understood, in words, and the reason why it suffices.

    `covers` tests a concept; None where another module reads the fact (payers, days, practitioners, diagnoses).
    """

    kind: Kind | Literal["payer", "day", "practitioner", "diagnosis"]
    words: str
    why: str
    covers: Callable[[Concept], object] | None = None


_STRESS_DRUGS = frozenset(code for item in DOCUMENTATION for code in item.rxnorm)
_NDC_FORM = re.compile(r"\d{4,5}-?\d{3,4}-?\d{1,2}|\d{4,5}-\d{3,4}")
_CLINICAL_FORM = re.compile(r"\d{6,18}|(?:\d{1,7}|L[AP]\d+)-\d")


def _has(*systems: str) -> Callable[[Concept], object]:
    return lambda concept: concept.values(*systems)


def _has_billing_code(concept: Concept) -> bool:
    return bool(codes_without_modifiers(concept.values(BILLING)))


# The titles of revenue codes that speak of imaging or the heart.
_COST_CENTER = re.compile(
    r"(?:cardiology|imaging services|other imaging services|radiology)?\W*"
    r"(?:cardiology|general(?: classification)?|other|cardiac cath(?:eterization)? lab|stress tests?|echocardiology|"
    r"diagnostic|ultrasound|imaging services)",
    re.IGNORECASE,
)


def _is_charged_without_code(concept: Concept) -> bool:
    """A revenue code, and no other code or text that speaks of an echo, contrast or an agent."""
    texts = [text for text in _folded(concept.words) if not _COST_CENTER.fullmatch(text.strip())]
    is_alone = bool(concept.values(REVENUE)) and not any(code.system != REVENUE for code in concept.codes)
    return is_alone and agent_in(concept) is None and not any(_speaks_of(each, texts) for each in _SUSPICIOUS)


_SUSPICIOUS = (_AGENT_WORDS, _ECHO_WORDS)


def _is_other_drug_code(concept: Concept) -> bool:
    """An NDC that is not an agent's; of a labeler of agents, only with the name of another drug."""
    written = [each for each in concept.values(NDC) if _NDC_FORM.fullmatch(each)]
    is_named = not any(map(is_of_agents_labeler, written)) or _names_other_drug(concept)
    return bool(written) and agent_in(concept) is None and is_named


def _is_stress_drug(concept: Concept) -> bool:
    return names_stress_drug(concept) or not _STRESS_DRUGS.isdisjoint(concept.values(RXNORM))


def _is_clinical_code(concept: Concept) -> bool:
    """SNOMED CT or LOINC, neither in the study table nor with a display that speaks of an echo.

    SNOMED CT has more codes of echoes than the study table: its code counts with a display only.
    """
    words = _folded(concept.words)
    written = concept.values(SNOMED, LOINC) if _telling(words) else concept.values(LOINC)
    return (
        any(map(_CLINICAL_FORM.fullmatch, written))
        and not names_study(concept)
        and agent_in(concept) is None
        and not _speaks_of(_ECHO_WORDS, words)
    )


_KNOWN_SYSTEMS = frozenset({BILLING, NDC, RXNORM, SNOMED, LOINC, CVX, REVENUE})


_PROCEDURE_SYSTEMS = frozenset(
    {
        "http://www.cms.gov/medicare/coding/icd10",
        "http://hl7.org/fhir/sid/icd-10-pcs",
        "urn:oid:2.16.840.1.113883.6.4",
    }
)
_PROCEDURE_CODE = re.compile(r"[0-9A-HJ-NP-Z]{7}")
# Ultrasound of the heart, measurement and monitoring (stress tests), introduction of substances (contrast).
_OPEN_PROCEDURES = ("B24", "4A0", "4A1", "3E0")
_ULTRASOUND_WORDS = re.compile(r"echo|ultraso|sonogr|contrast|enhanc|agent|bubble|stress", re.IGNORECASE)


def _is_other_procedure_code(concept: Concept) -> bool:
    """ICD-10-PCS outside the sections that hold an echo, a stress test or contrast."""
    written = [code.value.upper() for code in concept.codes if _plain(code.system) in _PROCEDURE_SYSTEMS]
    is_other = all(_PROCEDURE_CODE.fullmatch(each) and not each.startswith(_OPEN_PROCEDURES) for each in written)
    return bool(written) and is_other and not _speaks_of(_ULTRASOUND_WORDS, _folded(concept.words))


def _plain(system: str) -> str:
    return system.strip().rstrip("/").lower()


MODIFIER_LENGTH = 2


def _without_unknown(covers: Callable[[Concept], bool]) -> Callable[[Concept], object]:
    """For a charge: its other codes are known. A product or clinical code beside a local code is not what is charged.

    Two characters without a system are a modifier.
    """
    return lambda concept: (
        covers(concept)
        and all(
            code.system in _KNOWN_SYSTEMS or (code.system == NO_SYSTEM and len(code.value) == MODIFIER_LENGTH)
            for code in concept.codes
        )
    )


GROUNDS: tuple[Ground, ...] = (
    Ground("charge", "a CPT or HCPCS code", "the code states the service", _has_billing_code),
    Ground("charge", "a revenue code, and no text on echo", "it names a cost center only", _is_charged_without_code),
    Ground(
        "charge",
        "an NDC of no contrast agent, without a local code",
        "the products of all agents are in the table",
        _without_unknown(_is_other_drug_code),
    ),
    Ground(
        "charge",
        "a LOINC code, or a SNOMED CT code with a name, of no echo, without a local code",
        "the code states another service",
        _without_unknown(_is_clinical_code),
    ),
    Ground("charge", "a CVX code", "CVX lists vaccines only", _has(CVX)),
    Ground("drug", "a code or a name of a contrast agent", "it is one, by code or in free text", agent_in),
    Ground(
        "drug",
        "an NDC of no contrast agent",
        "the products of all agents are in the table; their labelers' other products need a name",
        _is_other_drug_code,
    ),
    Ground("drug", "a CPT or HCPCS code of no agent", "all supply codes are in the table", _has_billing_code),
    Ground("drug", "a CVX code", "CVX lists vaccines only", _has(CVX)),
    Ground("drug", "an NDC or RxNorm code of a drug for stress tests", "the tables list it", _is_stress_drug),
    Ground(
        "drug",
        "a name of another drug, with a code of any system or in a form that drugs have",
        "a name says what was given; an unnamed RxNorm code may be one of an agent's many",
        _names_other_drug,
    ),
    Ground("service", "a code of the study table", "it states the kind of echo", names_study),
    Ground("service", "the name of a contrast agent", "it is weak evidence of contrast", agent_in),
    Ground("service", "a CPT or HCPCS code", "the code states the service", _has_billing_code),
    Ground(
        "service",
        "a LOINC code, or a SNOMED CT code with a name, of no echo",
        "the code states another service",
        _is_clinical_code,
    ),
    Ground(
        "service",
        "an ICD-10-PCS code outside of cardiac ultrasound, measurement, monitoring and introduction",
        "an echo, a stress test and contrast are in these sections",
        _is_other_procedure_code,
    ),
    Ground("service", "a CVX code", "CVX lists vaccines only", _has(CVX)),
    Ground(
        "service",
        "a name of another service, with a code of any system or in a form that services have",
        "a name that speaks of no echo, stress test, heart or contrast says what was done",
        _names_other_service,
    ),
    Ground("payer", "a coverage that was received, with a type of plan or a payor's name", "it names the payer"),
    Ground("payer", "a name on the claim itself", "a name is enough, a reference or a member's number is not"),
    Ground("payer", "a coverage or identifier in the site's file", "the site says who it is"),
    Ground("day", "a date, or a moment with the sender's own offset", "it is the local day"),
    Ground("day", "an instant in UTC, if the site's time zone is set", "the zone tells the local day"),
    Ground("day", "an instant in UTC at noon or later", "no part of the Americas is half a day behind"),
    Ground("practitioner", "a reference to a Practitioner", "a role or an identifier may be of the same person"),
    Ground("diagnosis", "one ICD-10-CM code, stated or by a Condition that was received", "contractors list these"),
)  # fmt: skip

_BY_KIND: dict[Kind, tuple[Callable[[Concept], object], ...]] = {
    kind: tuple(each.covers for each in GROUNDS if each.kind == kind and each.covers)
    for kind in ("charge", "drug", "service")
}


@lru_cache(maxsize=4096)  # records repeat few concepts
def _is_covered(kind: Kind, concept: Concept) -> bool:
    return any(covers(concept) for covers in _BY_KIND[kind])


def is_understood(kind: Kind, concept: Concept, case: Case) -> bool:
    """True if one of the grounds covers the concept, or the site says that it maps all codes of the system.

    A mixture is understood by the code or name of the whole, by an agent in it, or if each of its ingredients is.
    """
    if not concept.parts or agent_in(concept):
        return _is_one_understood(kind, concept, case)
    return _is_one_understood(kind, _without_ingredients(concept), case) or all(
        is_understood(kind, part, case) for part in concept.parts
    )


def _without_ingredients(mixture: Concept) -> Concept:
    codes = {code for part in mixture.parts for code in part.codes}
    words = {text for part in mixture.parts for text in part.words}
    return Concept(
        tuple(each for each in mixture.codes if each not in codes),
        tuple(each for each in mixture.words if each not in words),
    )


def _is_one_understood(kind: Kind, concept: Concept, case: Case) -> bool:
    mapped = case.site.mapped_systems
    return _is_covered(kind, concept) or bool(mapped and not mapped.isdisjoint(code.system for code in concept.codes))


def is_charge_understood(line: Line, case: Case) -> bool:
    """True if a line's code is understood.

    An NDC in the details of a line names the product charged there. A code without a system counts if it is one that we
    know, or if the case has such a one: then its sender writes billing codes without a system.
    """
    if line.code and not line.certain:
        return line.code in KNOWN_CODES or _writes_bare_codes(case)
    is_product_detail = "." in line.origin.within and line.concept.values(NDC)
    return bool(is_product_detail) or is_understood("charge", line.concept, case)


def _writes_bare_codes(case: Case) -> bool:
    bare = case.lines.matching(lambda charged: charged.names_any(KNOWN_CODES))
    return any(line.code in KNOWN_CODES and not line.certain for line in bare)


def unknown_code(concept: Concept) -> Code | None:
    """The code to report of a concept that was not understood: one of a system that is not known, else the first.

    Of a mixture, the code of an ingredient that no ground covers.
    """
    concept = next((part for part in concept.parts if not _is_covered("drug", part)), concept)
    foreign = (code for code in concept.codes if code.system not in {BILLING, NDC, SNOMED, LOINC, CVX, NO_SYSTEM})
    return next(foreign, None) or next(iter(concept.codes), None)
