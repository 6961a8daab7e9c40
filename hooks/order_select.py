"""Hook `order-select`: an order for a stress echo was just selected and may still lack details."""

from cds_service.cdshooks.messages import Bundle, Context
from cds_service.cdshooks.services import Service
from hooks.prefetch import PREFETCH, wanted


class OrderSelect(Context, kw_only=True):
    """The context of `order-select`.

    `draftOrders` is a Bundle of all unsigned orders of the session; `selections` names those just selected.
    """

    selections: list[str]
    draft_orders: Bundle


SERVICE = Service(
    id="contrast-echo-order-select",
    hook="order-select",
    title="Contrast stress echo: coding advice while the order is entered",
    description=(
        "Advises on the orders just selected: charges due for contrast at a stress echo, and add-on codes without a "
        "primary. Cards carry no suggestions, since order details may still be missing."
    ),
    usage="Only the orders in `selections` are reviewed; the other draft orders serve as context.",
    stage="order",
    context=OrderSelect,
    context_bundle="draftOrders",
    prefetch=PREFETCH,
    needed_keys=wanted,
    read_only=True,
)
