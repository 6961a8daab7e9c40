"""The values of enumerations that errors name."""

import msgspec
import pytest

from cds_service.cdshooks.accepted_values import accepted_values
from cds_service.cdshooks.messages import Card, FeedbackRequest, Response


@pytest.mark.parametrize(
    ("kind", "path", "values"),
    [
        (FeedbackRequest, "$.feedback[12].outcome", ("accepted", "overridden")),
        (Card, "$.indicator", ("critical", "info", "warning")),
        (Card, "$.selectionBehavior", ("any", "at-most-one")),
        (Response, "$.cards[0].suggestions[1].actions[2].type", ("create", "delete", "update")),
        (FeedbackRequest, "$.feedback[0].card", ()),
        (FeedbackRequest, "$.feedback[0].unknown", ()),
        (FeedbackRequest, "$", ()),
    ],
)
def test_the_values_of_a_path(kind: type[msgspec.Struct], path: str, values: tuple[str, ...]) -> None:
    assert tuple(sorted(accepted_values(kind, path))) == values
