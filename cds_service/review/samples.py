"""The library of sample requests, for the sandbox and the rule pages.

Each rule has a folder with `flags-….json` and `passes-….json`, described in `about.yaml`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cds_service.cdshooks.cards import rules_on
from cds_service.cdshooks.messages import Card
from cds_service.cdshooks.services import ServiceDirectory
from cds_service.core import strict_yaml
from cds_service.core.rules import Rule
from cds_service.errors import BadRequest, TableError
from cds_service.intake.described import Describe
from cds_service.intake.text import text_of
from cds_service.review.advisor import Advisor
from cds_service.review.reference import Part


class Sample(Part):
    """A sample: `name` is `rule-id/file`, `expected` is `flags` or `passes`, `about` is its description."""

    name: str
    about: str
    hook: str
    expected: str


class Group(Part):
    """The samples of a rule."""

    rule: str
    title: str
    samples: tuple[Sample, ...]


class ExampleCard(Part):
    """A card in an example; `also_rules` are further rules that share it."""

    rule: str
    indicator: str
    summary: str
    also_rules: tuple[str, ...] = ()


class Example(Part):
    """A sample request with its contents in billers' notation and the service's response.

    `holds` are the lines of `notation`, `left_out` the contents that the notation cannot state.
    """

    name: str
    hook: str
    expected: str
    holds: tuple[str, ...]
    notation: str
    left_out: tuple[str, ...]
    cards: tuple[ExampleCard, ...]
    not_checked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SampleLibrary:
    """The folder of samples and the services that answer them; a missing folder means no samples.

    `describe` writes cases in billers' notation.
    """

    folder: Path
    services: ServiceDirectory
    describe: Describe

    def groups(self, rules: Iterable[Rule]) -> tuple[Group, ...]:
        """The samples of each rule that has any. Raises TableError if an `about.yaml` is invalid."""
        found = (Group(rule.id, rule.title, tuple(self._samples(rule.id))) for rule in rules)
        return tuple(group for group in found if group.samples)

    def start_here(self) -> tuple[tuple[str, str], ...]:
        """Name and label of each sample in `start_here.yaml`. Raises TableError if one is not in the folder."""
        labels = _sentences(self.folder / "start_here.yaml")
        for name in labels:
            if not (self.folder / f"{name}.json").is_file():
                raise TableError(f"start_here.yaml: `{name}`: expected the name of a sample, as rule-id/file")
        return tuple(labels.items())

    def read(self, name: str) -> bytes | None:
        """A sample's request with this site's hook name; None if there is no such sample."""
        known = {f"{path.parent.name}/{path.stem}": path for path in self.folder.glob("*/*.json")}
        return self.services.localized(known[name].read_bytes())[1] if name in known else None

    def run(self, rule: Rule, advisor: Advisor) -> tuple[Example, ...]:
        """The examples of a rule, made by running its samples; flagged ones first."""
        examples = (self._run(path, advisor) for path in self._paths(rule.id))
        return tuple(example for example in examples if example is not None)

    def _paths(self, rule_id: str) -> list[Path]:
        return sorted((self.folder / rule_id).glob("*.json"))

    def _samples(self, rule_id: str) -> Iterable[Sample]:
        sentences = _sentences(self.folder / rule_id / "about.yaml")
        for path in self._paths(rule_id):
            expected, _, words = path.stem.partition("-")
            service, _ = self.services.localized(path.read_bytes())
            about = sentences.get(path.stem, words.replace("-", " ").capitalize() + ".")
            yield Sample(f"{rule_id}/{path.stem}", about, self.services.hook_of(service), expected)

    def _run(self, path: Path, advisor: Advisor) -> Example | None:
        try:
            service, body = self.services.localized(path.read_bytes())
            answer = advisor.answer(service, body)
        except (OSError, BadRequest):
            return None  # not a valid sample: omitted here, reported by the tests
        expected, _, name = path.stem.partition("-")
        told = self.describe(answer.parsed.case)
        notation = text_of(told.case)
        return Example(
            name=name.replace("-", " "),
            hook=self.services.hook_of(service).rpartition(".")[2],
            expected=expected,
            holds=tuple(notation.splitlines()),
            notation=notation,
            left_out=told.left_out,
            cards=tuple(map(_example_card, answer.response.cards)),
            not_checked=tuple(f"{each.id}: {verdict.reason}" for each, verdict in answer.review.not_checked),
        )


def _example_card(card: Card) -> ExampleCard:
    own, *others = rules_on(card)
    return ExampleCard(own, card.indicator, card.summary, tuple(others))


def _sentences(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    data = strict_yaml.read(path, TableError).data
    try:
        return msgspec.convert(data, dict[str, str])
    except msgspec.ValidationError as error:
        raise TableError(f"{path.parent.name}/{path.name}: {error}") from None
