"""Hook `order-select`: an order for a stress echo has just been chosen and may still lack details."""

from cds_service.cdshooks.messages import Bundle, Context
from cds_service.cdshooks.services import Service
from hooks.coding.scope import wanted
from hooks.prefetch import PREFETCH


class OrderSelect(Context, kw_only=True):
    """The context of `order-select`.

    `draftOrders` is a Bundle of all unsigned orders of the session, `selections` names those that were just chosen.
    """

    selections: list[str]
    draft_orders: Bundle


SERVICE = Service(
    id="contrast-echo-order-select",
    hook="order-select",
    title="Contrast stress echo: coding advice while the order is made",
    description=(
        "Advice on the orders that were just selected: the charges that come with contrast at a stress echo, and "
        "add-on codes without their primary. While details are missing there is advice to read and nothing to accept."
    ),
    usage="Only the orders named in `selections` are looked at; the other draft orders tell what goes with them.",
    stage="order",
    context=OrderSelect,
    context_bundle="draftOrders",
    prefetch=PREFETCH,
    needed_keys=wanted,
    read_only=True,
)
