"""Hook `encounter-discharge`: the encounter ends and its charges are about to be submitted."""

from cds_service.cdshooks.messages import Context
from cds_service.cdshooks.services import Service
from hooks.prefetch import PREFETCH, wanted


class EncounterDischarge(Context, kw_only=True):
    """The context of `encounter-discharge`; the encounter is required.

    What was done in it is under review, and the charges that are of it or may be.
    """

    encounter_id: str


SERVICE = Service(
    id="contrast-echo-encounter-discharge",
    hook="encounter-discharge",
    title="Contrast stress echo: review of the encounter's charges at discharge",
    description=(
        "Checks the charges of the encounter against its record: missing 93352 or supply code, add-ons without a "
        "primary or charged twice."
    ),
    usage="Requires the charges: prefetch `chargeItems`, or a FHIR server to fetch them from.",
    stage="claim",
    context=EncounterDischarge,
    prefetch=PREFETCH,
    needed_keys=wanted,
    required=("chargeItems",),
    hook_version="1.0",
)
