"""The cases that a site's own statement is about: by the payer and the setting of the lines of a finding."""

from collections.abc import Sequence

from cds_service.core.case import Case, Line
from cds_service.core.site import SiteStatement
from hooks.coding.setting_and_payer import names_of_payer, setting_of_lines

SETTINGS = ("professional", "facility")


def applies(statement: SiteStatement, case: Case, lines: Sequence[Line]) -> bool:
    """True if payer and setting of the lines are among those that a statement names; if it names none, of any lines."""
    if statement.settings and setting_of_lines(lines) not in statement.settings:
        return False
    return not statement.payers or not statement.payers.isdisjoint(names_of_payer(case, lines))
