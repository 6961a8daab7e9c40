"""`/tables`: the code tables that answer, as a page and as JSON."""

from collections.abc import Sequence

from flask import Blueprint, Response

from cds_service.cms.lookup import Tables
from cds_service.core.tables import Table
from cds_service.review.tables import tables_in_use
from cds_service.web import languages, page_headers
from cds_service.web.reference import page, vary_by_accept, wants_json
from cds_service.web.responses import as_json


def blueprint(built_in: Sequence[Table], tables: Tables) -> Blueprint:  # type: ignore[type-arg]
    """The route of the tables."""
    routes = Blueprint("tables", __name__, template_folder="templates")
    page_headers.register(routes, page_headers.WITHOUT_SCRIPTS)
    vary_by_accept(routes)
    languages.require_known(routes)

    @routes.get("/tables")
    def all_tables() -> Response:
        """A change of the folder of loaded tables is seen within a second."""
        found = tables_in_use(built_in, tables.snapshot())
        return as_json(found) if wants_json() else page("tables.html", tables=found)

    return routes
