"""Hook `order-sign`: an order for a stress echo is being signed."""

from cds_service.cdshooks.messages import Bundle, Context
from cds_service.cdshooks.services import Service
from hooks.prefetch import PREFETCH, wanted


class OrderSign(Context, kw_only=True):
    """The context of `order-sign`: `draftOrders` is a Bundle of the orders being signed."""

    draft_orders: Bundle


SERVICE = Service(
    id="contrast-echo-order-sign",
    hook="order-sign",
    title="Contrast stress echo: coding advice when the order is signed",
    description=(
        "For a stress echo ordered with contrast, lists the charges that will be due (93352 and the supply code of the "
        "agent), and add-on codes ordered without a primary."
    ),
    usage="Orders without evidence of contrast get no cards.",
    stage="order",
    context=OrderSign,
    context_bundle="draftOrders",
    prefetch=PREFETCH,
    needed_keys=wanted,
)
