"""The law of negation, on both sides of each of its limits."""

import pytest

from cds_service.ask.spans import Recognizer, cleaned
from hooks.publish.described import case_knowledge


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer(case_knowledge().recognized, ())


def denied(recognizer: Recognizer, text: str) -> list[str]:
    return [each.value for each in recognizer.read(cleaned(text)).spans if each.negated]


@pytest.mark.parametrize(
    "text",
    [
        "no Definity",
        "without any Definity",
        "w/o Definity",
        "did not use Definity",
        "didn't give any Definity",
        "Definity not used",
        "Definity was not used: allergy",
        "Definity ordered but not given",
        "Definity ordered, then considered, no Definity then",
        "Definity wasn't given",
        "Definity was declined",
        "Definity withheld",
        "Definity: none",
        "Definity - no, images were good",
        "patient declined Definity",
        "no need for Definity",
    ],
)
def test_a_denied_product_is_denied(recognizer: Recognizer, text: str) -> None:
    assert "Definity" in denied(recognizer, text)


@pytest.mark.parametrize(
    "text",
    [
        "Definity",
        "no complications, Definity",
        "no complications with the test. Definity",
        "Definity no complications",
        "Definity given, not tolerated",
        "not limited, Definity",
        "without incident; Definity",
        "Dr. No gave Definity",
    ],
)
def test_a_product_beside_another_negation_is_not_denied(recognizer: Recognizer, text: str) -> None:
    assert "Definity" not in denied(recognizer, text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("no Definity or Optison, Lumason 5 mL", ["Definity", "Optison"]),
        ("neither Definity nor Optison", ["Definity", "Optison"]),
        ("without Doppler and color", ["Doppler", "color"]),
        ("no contrast and I supervised", ["contrast"]),
        ("Definity not Optison", ["Optison"]),
        ("Definity was not given, Optison was", ["Definity"]),
        ("I did not supervise, I read it", ["supervised"]),
    ],
)
def test_a_negation_reaches_over_a_conjunction_of_like_things_alone(
    recognizer: Recognizer, text: str, values: list[str]
) -> None:
    assert denied(recognizer, text) == values
