"""The layouts of CMS's tables, by kind."""

from typing import Any

from cds_service.cms.layouts import add_ons, addendum_b, articles, asp, fee_schedule, hcpcs, mue, ptp
from cds_service.cms.layouts.base import Layout

LAYOUTS: dict[str, Layout[Any]] = {
    layout.kind: layout
    for layout in (
        ptp.LAYOUT,
        mue.LAYOUT,
        add_ons.LAYOUT,
        fee_schedule.LAYOUT,
        addendum_b.LAYOUT,
        hcpcs.LAYOUT,
        asp.CROSSWALK,
        asp.LIMITS,
        articles.LAYOUT,
    )
}
