"""Fetches from the client's FHIR server the data that a call lacks, all within one deadline.

In turn: the keys that the service requires; procedures that charges refer to, for their days; the keys that rules need,
on the days under review; and Medications that did not arrive. Only about the days asked for is the record complete.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from cds_service.cdshooks.messages import Context, DecodedRequest, Request
from cds_service.cdshooks.prefetch import Intake, add_value, fill_template
from cds_service.cdshooks.services import Service
from cds_service.core.case import Case, Days
from cds_service.errors import DataMissing
from cds_service.fetch.client import Fetch, FhirClient
from cds_service.fetch.queries import Access
from cds_service.fetch.searches import Search, encounter_search, is_dated, searches
from cds_service.fhir.missing import MissingMedication, can_be_read, missing_medications
from cds_service.fhir.read import CaseReader, ParsedCase
from cds_service.fhir.servers import AllowList
from cds_service.telemetry.tracing import span

# Resources of one kind that are read by id for one call.
MOST_READS = 20

_NOT_ALLOWED = "`fhirServer` is not an allowed FHIR server"
_NO_QUERY = "the context lacks an id required by the query"
_NOT_THERE = "the FHIR server does not have it"
_NOT_UNDERSTOOD = (
    "the FHIR server found nothing in any search of the patient, not even the encounter of the call: it may not have "
    "understood the searches, so the record counts as unknown"
)

# The key of resources that are not part of a prefetch key.
_READS = "reads"
_MEDICATIONS = "fhirServer.medications"
_ADMINISTRATIONS = "medicationAdministrations"


@dataclass(slots=True)
class Call:
    """A call in progress: the request, the resources received so far, and the case made of them.

    `servers` are the FHIR servers allowed for the client; None: those of the settings. `fetches` are the finished ones
    by key.
    """

    service: Service
    request: Request | DecodedRequest
    context: Context
    servers: AllowList | None
    reader: CaseReader
    intake: Intake
    fetches: dict[str, Fetch] = field(default_factory=dict)
    _parsed: ParsedCase | None = None
    _parsed_from: tuple[object, ...] = ()
    _taken: int = 0

    def parsed(self) -> ParsedCase:
        """The case of the call, parsed once; again only if a fetch brought resources or changed what is complete."""
        intake = self.intake
        state = len(intake.sources), frozenset(intake.complete), frozenset(intake.complete_days.items())
        if self._parsed is None or self._parsed_from != state:
            self.reader.add(intake.sources[self._taken :])
            self._taken = len(intake.sources)
            self._parsed = self.reader.parsed(state[1], {**intake.complete_days})
            self._parsed_from = state
        return self._parsed

    @property
    def patient_id(self) -> str:
        """The patient's id, without a resource type."""
        return bare_id(self.context.patient_id)

    @property
    def encounter_id(self) -> str:
        """The id of the encounter, of the call or of all charges under review; empty if it is not known."""
        if self.context.encounter_id:
            return bare_id(self.context.encounter_id)
        charged = {line.encounter for line in self.parsed().case.lines.under_review()}
        only = charged.pop() if len(charged) == 1 else None
        return bare_id(only) if only and only.startswith("Encounter/") else ""


def bare_id(identifier: str) -> str:
    """The id without a resource type: some clients send `Patient/1` instead of `1`."""
    return identifier.rsplit("/", 1)[-1]


def fetch_missing(call: Call, client: FhirClient) -> None:
    """Fetch the data that the call lacks. Raises DataMissing if required data was not sent and cannot be fetched."""
    fetching = _Fetching(call, client, _access(call, client), client.deadline())
    missing = [key for key in call.service.required if key not in call.intake.resolved_keys()]
    if missing and fetching.access is None and not set(missing) & set(call.request.prefetch or {}):
        keys = " and ".join(f"`prefetch.{key}`" for key in missing)
        raise DataMissing(
            f"{keys} is required: send it or an allowed `fhirServer` to fetch it from",
            f"prefetch.{missing[0]}",
        )
    if call.request.fhir_server:
        if missing:
            fetching.fetch(missing, None)
        fetching.fetch_needed(call.service.needed_keys(call.parsed().case))


def _access(call: Call, client: FhirClient) -> Access | None:
    """The call's FHIR server; None if it names none or one that is not allowed."""
    server, authorization = call.request.fhir_server, call.request.fhir_authorization
    return (
        client.access(server, authorization.access_token if authorization else None, call.servers) if server else None
    )


@dataclass(frozen=True, slots=True)
class _Fetching:
    """The fetches of one call. `access` is None if its server is not allowed."""

    call: Call
    client: FhirClient
    access: Access | None
    deadline: float

    def fetch_needed(self, keys: frozenset[str]) -> None:
        """Fetch the keys that rules need for the days under review, and the Medications that the records refer to."""
        if not keys:
            return
        templates = [self.call.service.prefetch[key] for key in keys - self.call.intake.resolved_keys()]
        is_limited = self.access is not None and any(map(is_dated, templates))
        days = self._days() if is_limited else _span(_days_under_review(self.call.parsed().case))
        self.fetch(keys, days)
        if self.access:
            self._doubt_empty_record(self.access)
            self._read_medications(self.access, days)

    def fetch(self, keys: Iterable[str], days: Days | None) -> None:
        """Fetch the unresolved keys once each; report keys that cannot be queried as unavailable."""
        call = self.call
        planned: dict[str, Sequence[Search]] = {}
        for key in sorted(set(keys) - call.intake.resolved_keys() - set(call.fetches)):
            found = self._searches(self.access, key, days) if self.access else ()
            if found:
                planned[key] = found
            else:
                reason = _NO_QUERY if self.access else _NOT_ALLOWED
                call.intake.mark_unavailable(key, f"fhirServer.{key}", reason)
        if self.access and planned:
            with span("fetch", keys=list(planned)):
                done = self.client.fetch(call.intake, self.access, planned, call.service.prefetch, self.deadline)
            call.fetches.update(done)

    def _searches(self, access: Access, key: str, days: Days | None) -> tuple[Search, ...]:
        """The searches for a key; empty if the context lacks an id.

        The next page of what was sent is followed unless the days under review can be asked for.
        """
        call = self.call
        encounter_id = call.encounter_id
        filled = fill_template(
            call.service.prefetch[key], {"patientId": call.patient_id, "encounterId": encounter_id or None}
        )
        found = searches(filled, days, encounter_id) if filled else ()
        rest = call.intake.next_pages.get(key)
        if rest and access.holder(rest) and not (found and found[0].days):
            return (Search(rest),)
        return found

    # --- the days under review --------------------------------------------------------------------------------------

    def _days(self) -> Days | None:
        """The days under review and of the procedures that charges refer to; None if one of them is not known."""
        days = _days_under_review(self.call.parsed().case)
        return _span([*days, *self._days_of_linked()]) if days and self._read_linked() else None

    def _read_linked(self) -> bool:
        """Read the procedures and administrations that charges refer to; False if one of them could not be read.

        One that the server does not have is not in the whole record either.
        """
        known = {item.identity for item in self.call.reader.items}
        linked = sorted(link for link in _links(self.call.parsed().case) if link not in known and can_be_read(link))
        if self.access is None or len(linked) > MOST_READS:
            return not linked
        return {*self._read(self.access, linked, "fhirServer.linked").values()} <= {_NOT_THERE}

    def _days_of_linked(self) -> Iterator[date]:
        case = self.call.parsed().case
        links = _links(case)
        linked = (*case.procedures.identified_by(links), *case.administrations.identified_by(links)) if links else ()
        yield from (each.day for each in linked if each.day)

    # --- reads by id ------------------------------------------------------------------------------------------------

    def _read_medications(self, access: Access, days: Days | None) -> None:
        """Read the Medications that did not arrive; without one of them, an administration may be of any drug."""
        call = self.call
        call.parsed()
        missing = missing_medications(call.reader.items, call.reader.resolver, days)
        here = [each for each in missing if _is_here(each, access)]
        reasons = self._read(access, [each.identity for each in here[:MOST_READS]], _MEDICATIONS)
        unread = [each for each in missing if not each.is_named and (each.identity in reasons or each not in here)]
        unread += [each for each in here[MOST_READS:] if not each.is_named]
        if unread:
            reason = next(iter(reasons.values()), f"at most {MOST_READS} are read, from the FHIR server of the call")
            text = f"referenced Medications that could not be read: {len(unread)} ({reason})"
            call.intake.mark_incomplete(_ADMINISTRATIONS, _MEDICATIONS, text)

    def _read(self, access: Access, references: Sequence[str], path: str) -> dict[str, str]:
        """Read resources by id into the intake, in parallel; the reasons of those that could not be read."""
        if not references:
            return {}
        with span("fetch", keys=[path]):
            done = self.client.query_all(access, {each: each for each in references}, self.deadline)
        reasons: dict[str, str] = {}
        for number, (reference, query) in enumerate(done.items()):
            if query.fault or query.not_found:
                reasons[reference] = query.fault or _NOT_THERE
                continue
            read = Intake()
            add_value(read, _READS, query.pages[0], f"{path}[{number}]", reference)
            self.call.intake.sources += read.sources
            self.call.intake.skipped += read.skipped
            if not read.sources:
                reasons[reference] = "the FHIR server did not return it"
        return reasons

    # --- servers that do not understand a search --------------------------------------------------------------------

    def _doubt_empty_record(self, access: Access) -> None:
        """Take the record for unknown if every search of the patient found nothing, also that of the encounter."""
        call = self.call
        asked = [key for key, each in call.fetches.items() if not each.fault and "patient=" in each.search.url]
        if not asked or any(call.fetches[key].found for key in asked) or not (encounter_id := call.encounter_id):
            return
        search = encounter_search(call.patient_id, encounter_id)
        query = self.client.query_all(access, {"encounter": search}, self.deadline)["encounter"]
        answer = Intake()
        for page in query.pages:
            add_value(answer, _READS, page, "", "Encounter?")
        if query.fault or answer.skipped or not answer.sources:
            call.intake.complete -= set(asked)
            call.intake.mark_incomplete(asked[0], "fhirServer", _NOT_UNDERSTOOD)


def _is_here(each: MissingMedication, access: Access) -> bool:
    """True if a reference is to the call's own server."""
    return "://" not in each.written or access.covers(each.written)


def _days_under_review(case: Case) -> list[date]:
    """The days of the records under review; empty if a charge among them has no day."""
    lines = [line.day for line in case.lines.under_review()]
    if None in lines:
        return []
    others = (*case.orders.under_review(), *case.procedures.under_review(), *case.administrations.under_review())
    return [day for day in (*lines, *(each.day for each in others)) if day]


def _span(days: Sequence[date]) -> Days | None:
    return Days(min(days), max(days)) if days else None


def _links(case: Case) -> frozenset[str]:
    """The procedures and administrations that charges under review refer to."""
    found = (link for line in case.lines.under_review() for link in line.links)
    return frozenset(link for link in found if link.startswith(("Procedure/", "MedicationAdministration/")))
