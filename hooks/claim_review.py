"""Our own hook `<namespace>.claim-review`, fired before charges are submitted; defined in `claim_review.md`."""

from cds_service.cdshooks.messages import Bundle, Context
from cds_service.cdshooks.services import Service
from hooks.prefetch import PREFETCH, wanted


class ClaimReview(Context, kw_only=True):
    """The context of `claim-review`: `draftCharges` is a Bundle of the Claim or ChargeItem resources under review.

    A billed ExplanationOfBenefit is reviewed like a Claim, without suggestions. The Bundle may also hold the Procedure,
    MedicationAdministration, Encounter, Coverage and Observation resources that support them.
    """

    draft_charges: Bundle


SERVICE = Service(
    id="contrast-echo-claim-review",
    hook="{namespace}.claim-review",
    title="Contrast stress echo: review of charges before submission",
    description=(
        "Checks the charges of a contrast stress echo against the record: missing 93352 or supply code, add-ons "
        "without a primary or charged twice."
    ),
    usage="Send the charges of one patient. Charges are suggested only for services that the record shows.",
    stage="claim",
    context=ClaimReview,
    context_bundle="draftCharges",
    prefetch=PREFETCH,
    needed_keys=wanted,
    hook_version="1.0.0",
)
