"""Our own hook `<namespace>.claim-review`: charges are about to go out. Its definition is in `claim_review.md`."""

from cds_service.cdshooks.messages import Bundle, Context
from cds_service.cdshooks.services import Service
from hooks.coding.scope import wanted
from hooks.prefetch import PREFETCH


class ClaimReview(Context, kw_only=True):
    """The context of `claim-review`: `draftCharges` is a Bundle of the Claim or ChargeItem resources to be reviewed.

    It may also hold the Procedure, MedicationAdministration, Encounter, Coverage and Observation that they rest on.
    """

    draft_charges: Bundle


SERVICE = Service(
    id="contrast-echo-claim-review",
    hook="{namespace}.claim-review",
    title="Contrast stress echo: review of charges before they go out",
    description=(
        "Reviews the charges of a contrast stress echo against the record: 93352 and the supply code missing, add-ons "
        "without a primary or charged twice."
    ),
    usage="Send the charges of one patient. What the record does not show is never suggested as a charge.",
    stage="claim",
    context=ClaimReview,
    context_bundle="draftCharges",
    prefetch=PREFETCH,
    needed_keys=wanted,
    hook_version="1.0.0",
)
