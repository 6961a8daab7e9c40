"""Cards in the language of a call or of its client: each as a whole, or in English."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service import app as composition
from cds_service.auth.registrations import Client
from cds_service.auth.tokens import Principal
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.facts import with_facts_apart
from cds_service.languages.known import LANGUAGES
from cds_service.settings import Settings
from cds_service.web import authentication
from tests.http.test_patient import pseudo, pseudo_catalogs
from tests.support.notation import body_of
from tests.support.speaking import app_with

pytestmark = pytest.mark.repeats(3)

CALL = "/cds-services/contrast-echo-claim-review"
# Two findings that no fix repairs together.
CASE = {"professional": "93350, 93352-26, Q9957x9", "place": 11, "given": ["Definity 1.3 mL"], "payer": "Medicare"}

Speaking = Callable[..., FlaskClient]


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Catalogs:
    return pseudo_catalogs(tmp_path_factory.mktemp("pseudo"))


@pytest.fixture
def speaking(made_up: Catalogs) -> Speaking:
    """Makes a client of a service with other catalogs; those of the made-up language by default."""

    def make(catalogs: Catalogs = made_up) -> FlaskClient:
        return app_with(catalogs).test_client()

    return make


def called(client: FlaskClient, language: str | None = None, case: dict[str, Any] | None = None) -> Any:
    headers = {"Content-Type": "application/json"} | ({} if language is None else {"Accept-Language": language})
    response = client.post(CALL, data=body_of(case or CASE), headers=headers)
    assert response.status_code == 200
    return response


def summaries(response: Any) -> list[str]:
    found = [card["summary"] for card in response.json["cards"]]
    assert len(found) > 1
    return found


def without_ids(value: Any) -> Any:
    """An answer without what is made anew in each."""
    if isinstance(value, dict):
        return {name: without_ids(each) for name, each in value.items() if name != "uuid"}
    return [without_ids(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("asked", ["vi", "vi-VN,vi;q=0.9,en;q=0.8", "xx, vi;q=0.2", "en;q=0, vi"])
def test_a_call_chooses_the_language_of_its_cards(speaking: Speaking, asked: str) -> None:
    client = speaking()
    english = called(client)
    response = called(client, asked)
    assert response.headers["Content-Language"] == "vi, en"
    assert "Content-Language" not in english.headers
    assert response.json.get("extension") == english.json.get("extension")
    pairs = list(zip(english.json["cards"], response.json["cards"], strict=True))
    assert pairs
    for own, card in pairs:
        assert card["summary"] != own["summary"]
        assert f"**{pseudo('Why')}**" in card["detail"]
        assert pseudo("A machine translated this card.") in card["detail"]
        assert "A machine translated this card. No person who knows" in card["detail"], "in English too"
        assert card["source"]["topic"]["code"] == own["source"]["topic"]["code"]
        assert card["source"]["label"] == own["source"]["label"]


@pytest.mark.parametrize("asked", [None, "en", "*", "xx", "", "en, vi", "zh-TW"])
def test_without_one_that_is_spoken_a_card_is_english_and_no_catalog_is_read(
    speaking: Speaking, tmp_path: Path, asked: str | None
) -> None:
    """The folder has no catalogs, so that reading one is an error."""
    client = speaking(Catalogs(tmp_path))
    response = called(client, asked)
    assert "Content-Language" not in response.headers
    assert "machine" not in response.text
    assert without_ids(response.json) == without_ids(called(speaking()).json)


@pytest.mark.parametrize(
    "message", ["Why", "{line} is charged", "If it differs from the English, the English is right."]
)
def test_a_card_with_a_sentence_that_has_no_translation_is_english_as_a_whole(
    speaking: Speaking, tmp_path: Path, message: str
) -> None:
    client = speaking(pseudo_catalogs(tmp_path, without=message))
    assert without_ids(called(client, "vi").json) == without_ids(called(client).json)


@pytest.mark.exhaustive
def test_each_card_is_english_or_not_by_itself(speaking: Speaking, tmp_path: Path) -> None:
    """The title of one rule has no translation: its card is English, the others are not."""
    client = speaking()
    english = called(client)
    title = english.json["cards"][0]["source"]["topic"]["display"]
    less = speaking(pseudo_catalogs(tmp_path, without=with_facts_apart(title).text))
    first, *others = called(less, "vi").json["cards"]
    assert without_ids(first) == without_ids(english.json["cards"][0])
    assert [card["summary"] for card in others] == summaries(called(client, "vi"))[1:]


@pytest.mark.exhaustive
def test_a_card_of_many_words_is_cut_where_an_english_one_would_be(speaking: Speaking, tmp_path: Path) -> None:
    wordy = pseudo_catalogs(tmp_path, said=lambda text: f"{pseudo(text)}{pseudo(' and so on') * 30}")
    cards = called(speaking(wordy), "vi").json["cards"]
    assert [card["summary"][-1] for card in cards] == ["…"] * len(cards)
    assert max(len(card["summary"]) for card in cards) < 140
    labels = [each["label"] for card in cards for each in card["suggestions"]]
    assert [label[-1] for label in labels] == ["…"] * len(labels)
    assert max(map(len, labels)) < 140


@pytest.mark.parametrize(
    ("registered", "asked", "found"),
    [
        ("vi", None, "vi"),
        ("vi", "*", "vi"),
        ("vi", "en", "en"),
        ("en", None, "en"),
        ("es", "vi", "vi"),
        (None, None, "en"),
    ],
)
def test_a_registered_language_is_that_of_calls_that_ask_for_none(
    speaking: Speaking, monkeypatch: pytest.MonkeyPatch, registered: str | None, asked: str | None, found: str
) -> None:
    registration = Client(id="hospital", issuer="https://ehr.example.org", jwks_file="keys.json", language=registered)
    monkeypatch.setattr(authentication, "DEVELOPMENT", Principal("hospital", registration=registration))
    client = speaking()
    response = called(client, asked)
    assert response.headers.get("Content-Language", "en") == ("en" if found == "en" else f"{found}, en")
    assert ("machine" in response.text) == (found != "en")


@pytest.mark.parametrize("tag", [language.tag for language in LANGUAGES[1:]])
def test_a_card_is_in_one_language_and_its_facts_are_those_of_the_english_one(tag: str) -> None:
    """With the catalogs as they are: complete or not, no card mixes languages."""
    client = composition.create_app(Settings(mode="development")).test_client()
    pairs = list(zip(called(client).json["cards"], called(client, tag).json["cards"], strict=True))
    assert pairs
    for own, card in pairs:
        is_english = card["summary"] == own["summary"]
        assert (without_ids(card) == without_ids(own)) == is_english
        assert len(card["summary"]) < 140
        assert resources_of(card) == resources_of(own)
        assert ("**Why**" in card["detail"]) == is_english


def resources_of(card: Any) -> list[Any]:
    suggestions = card.get("suggestions", [])
    return [[action.get("resource"), action.get("resourceId")] for each in suggestions for action in each["actions"]]


def test_errors_and_feedback_are_english_in_every_language(speaking: Speaking) -> None:
    client = speaking()
    headers = {"Content-Type": "application/json", "Accept-Language": "vi"}
    refused = client.post(CALL, data=b"{", headers=headers)
    assert refused.status_code == 400
    assert refused.data == client.post(CALL, data=b"{", headers={"Content-Type": "application/json"}).data
