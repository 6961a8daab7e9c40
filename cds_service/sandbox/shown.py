"""Parts of the sandbox's answers that a page shows: findings with their text as HTML, and the case in notation."""

from cds_service.review.reference import Part
from cds_service.review.report import FindingView


class ShownFinding(FindingView, kw_only=True):
    """A finding with its detail as HTML too."""

    html: str


class ShownNotation(Part):
    """A case in billers' notation, and what that cannot state."""

    text: str
    left_out: tuple[str, ...]
