"""Hook `order-sign`: a stress echo is being ordered."""

from cds_service.cdshooks.messages import Bundle, Context
from cds_service.cdshooks.services import Service
from hooks.coding.scope import wanted
from hooks.prefetch import PREFETCH


class OrderSign(Context, kw_only=True):
    """The context of `order-sign`: `draftOrders` is a Bundle of the orders that are being signed."""

    draft_orders: Bundle


SERVICE = Service(
    id="contrast-echo-order-sign",
    hook="order-sign",
    title="Contrast stress echo: coding advice when the order is signed",
    description=(
        "When a stress echo is ordered with contrast, names the charges that will be due (93352 and the supply code of "
        "the agent), and add-on codes that are ordered without their primary."
    ),
    usage="Orders without any sign of contrast are answered with no cards.",
    stage="order",
    context=OrderSign,
    context_bundle="draftOrders",
    prefetch=PREFETCH,
    needed_keys=wanted,
)
