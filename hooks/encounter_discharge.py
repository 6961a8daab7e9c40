"""Hook `encounter-discharge`: an encounter ends, and its charges are about to go out."""

from cds_service.cdshooks.messages import Context
from cds_service.cdshooks.services import Service
from hooks.coding.scope import wanted
from hooks.prefetch import PREFETCH


class EncounterDischarge(Context, kw_only=True):
    """The context of `encounter-discharge`: the encounter is required, and its charges are what the call is about."""

    encounter_id: str


SERVICE = Service(
    id="contrast-echo-encounter-discharge",
    hook="encounter-discharge",
    title="Contrast stress echo: review of the encounter's charges at discharge",
    description=(
        "Reviews the charges of the encounter against its record: 93352 and the supply code missing, add-ons without a "
        "primary or charged twice."
    ),
    usage="Needs the charges: prefetch `chargeItems`, or a FHIR server that they can be read from.",
    stage="claim",
    context=EncounterDischarge,
    prefetch=PREFETCH,
    needed_keys=wanted,
    required=("chargeItems",),
    hook_version="1.0",
)
