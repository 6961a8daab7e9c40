"""Agents are known by their codes in every written form, by their names weakly, and by nothing else."""

from decimal import Decimal

import pytest

from cds_service.core.case import Administration, Origin, Part
from cds_service.core.concepts import BILLING, NDC, NO_SYSTEM, RXNORM, Code, Concept
from hooks.codes.tables import PRODUCTS
from hooks.coding.products import agent_in, agent_ml, is_of_agents_labeler, name_of, ndc_matches
from hooks.coding.supplies import is_discontinued, is_off_market

LISTED = sorted({(product.code, ndc) for product in PRODUCTS for ndc in product.ndc})


def forms(ndc: str) -> list[str]:
    """The forms in which an NDC of labeler and product is written, with a package."""
    labeler, product = ndc.split("-")
    written = [ndc, f"{ndc}-01", f"{labeler}{product}01", f" {ndc}-1 ", f"{labeler}{product}1"]
    if product.startswith("0"):
        written += [f"{labeler}-{product[1:]}-01", f"{labeler}{product[1:]}01"]
    if labeler.startswith("0"):
        written += [f"{labeler[1:]}-{product}-01", f"{labeler[1:]}{product}01"]
    return written


WRITTEN = [(code, ndc, written) for code, ndc in LISTED for written in forms(ndc)]


@pytest.mark.parametrize(("code", "ndc", "written"), WRITTEN)
def test_an_ndc_is_known_in_each_form(code: str, ndc: str, written: str) -> None:
    assert ndc_matches(written, [ndc])
    assert is_of_agents_labeler(written)
    found = agent_in(Concept(codes=(Code(NDC, written),)))
    assert found is not None
    assert code in found.codes
    assert found.certain


@pytest.mark.parametrize("written", ["", "11994", "11994-011-04-01", "11994-O11-04", "119940110", "1199401104011", "x"])
def test_what_is_no_ndc_names_nothing(written: str) -> None:
    assert not ndc_matches(written, ["11994-0110", "11994-0011"])
    assert agent_in(Concept(codes=(Code(NDC, written),))) is None


def test_another_ndc_of_the_labeler_is_of_the_labeler_only() -> None:
    assert not ndc_matches("11994-0999-01", [ndc for _, ndc in LISTED])
    assert is_of_agents_labeler("11994-0999-01")
    assert not is_of_agents_labeler("00001-0999-01")


def codes_in(*codes: tuple[str, str], words: tuple[str, ...] = ()) -> tuple[list[str], bool] | None:
    found = agent_in(Concept(codes=tuple(Code(system, code) for system, code in codes), words=words))
    return (sorted(found.codes), found.certain) if found else None


PERFLUTREN = "283753"


def test_codes_decide_and_names_are_weak() -> None:
    assert codes_in((BILLING, "Q9957")) == (["Q9957"], True)
    assert codes_in((BILLING, "Q9957-JZ")) == (["Q9957"], True)
    assert codes_in((RXNORM, PERFLUTREN)) == (["Q9956", "Q9957"], True)
    assert codes_in((RXNORM, PERFLUTREN), (BILLING, "Q9957")) == (["Q9957"], True)
    assert codes_in((BILLING, "Q9950"), (BILLING, "Q9957")) == (["Q9950", "Q9957"], True)
    assert codes_in((BILLING, "A9700")) == (["Q9950", "Q9956", "Q9957"], True)
    assert codes_in((BILLING, "A9700"), (BILLING, "Q9956")) == (["Q9956"], True)
    assert codes_in((NO_SYSTEM, "Q9957")) == (["Q9957"], False)
    assert codes_in(words=("DEFINITY 1.3 ml",)) == (["Q9957"], False)
    assert codes_in((BILLING, "Q9950"), words=("Definity",)) == (["Q9950"], True)
    assert codes_in(("urn:local", "Q9957")) is None
    assert codes_in((BILLING, "J1250"), words=("dobutamine",)) is None
    assert codes_in() is None


def test_the_words_of_a_name_stand_in_one_text_in_any_order() -> None:
    assert codes_in(words=("perflutren lipid microspheres",)) == (["Q9957"], False)
    assert codes_in(words=("microspheres of lipid (perflutren)",)) == (["Q9957"], False)
    assert codes_in(words=("perflutren",)) == (["Q9956", "Q9957"], False)


def given(ml: str | None, *parts: Part) -> Administration:
    dose = None if ml is None else Decimal(ml)
    return Administration(origin=Origin("", ""), status="given", concept=Concept(), ml=dose, parts=parts)


DEFINITY, SALINE = Concept(codes=(Code(BILLING, "Q9957"),)), Concept(words=("saline",))


def test_of_a_mixture_the_volume_of_the_agent_counts() -> None:
    one, two, saline = Part(DEFINITY, Decimal("1.3")), Part(DEFINITY, Decimal("0.2")), Part(SALINE, Decimal(8))
    assert agent_ml(given("2")) == Decimal(2)
    assert agent_ml(given(None)) is None
    assert agent_ml(given("50", one, saline)) == Decimal("1.3")
    assert agent_ml(given(None, one, two)) == Decimal("1.5")
    assert agent_ml(given(None, one, Part(DEFINITY))) is None
    assert agent_ml(given(None, saline)) is None


def test_a_supply_is_named_by_its_product() -> None:
    assert (name_of("Q9957"), name_of("A9700")) == ("Definity (Q9957)", "A9700")


def test_only_a_discontinued_product_is_off_the_market() -> None:
    gone = sorted({product.code for product in PRODUCTS if is_discontinued(product.code)})
    assert gone == sorted({product.code for product in PRODUCTS if product.discontinued})
    assert gone
    assert not is_off_market(gone[0], None)
    assert not is_off_market("Q9957", None)
