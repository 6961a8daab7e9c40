"""The sample requests as the sandbox lists them: by rule, with a sentence each from the folder's `about.yaml`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cds_service import strict_yaml
from cds_service.errors import TableError
from cds_service.protocol import Service, hook_name
from cds_service.reference import Part
from cds_service.rules import Rule

_SAMPLES_NAMESPACE = "org.example"


class Sample(Part):
    """A sample: `name` is `rule-id/file`, `expected` is `flags` or `passes`, `about` says what happened to whom."""

    name: str
    about: str
    hook: str
    expected: str


class Group(Part):
    """The samples of one rule."""

    rule: str
    title: str
    samples: tuple[Sample, ...]


class _Head(msgspec.Struct):
    hook: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folder of samples; an installed package has none, and its page starts empty."""

    folder: Path
    services: tuple[Service, ...]
    namespace: str

    def groups(self, rules: Iterable[Rule]) -> tuple[Group, ...]:
        """The samples of every rule that has some. Raises TableError where a sentence is wrong."""
        found = (Group(rule.id, rule.title, tuple(self._samples(rule.id))) for rule in rules)
        return tuple(group for group in found if group.samples)

    def read(self, name: str) -> bytes | None:
        """A sample's request, on the hooks as they are named here; None where there is no such sample."""
        known = {f"{path.parent.name}/{path.stem}": path for path in self.folder.glob("*/*.json")}
        if name not in known:
            return None
        body = known[name].read_bytes()
        hook = msgspec.json.decode(body, type=_Head).hook
        return body.replace(f'"{hook}"'.encode(), f'"{self._here(hook)}"'.encode(), 1)

    def _samples(self, rule_id: str) -> Iterable[Sample]:
        paths = sorted((self.folder / rule_id).glob("*.json"))
        sentences = _sentences(self.folder / rule_id / "about.yaml")
        for path in paths:
            expected, _, words = path.stem.partition("-")
            hook = self._here(msgspec.json.decode(path.read_bytes(), type=_Head).hook)
            about = sentences.get(path.stem, words.replace("-", " ").capitalize() + ".")
            yield Sample(f"{rule_id}/{path.stem}", about, hook, expected)

    def _here(self, hook: str) -> str:
        """The samples' own hook has the example namespace; here it has the site's."""
        names = {hook_name(each, _SAMPLES_NAMESPACE): hook_name(each, self.namespace) for each in self.services}
        return names.get(hook, hook)


def _sentences(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    data = strict_yaml.read(path, TableError).data
    try:
        return msgspec.convert(data, dict[str, str])
    except msgspec.ValidationError as error:
        raise TableError(f"{path.parent.name}/{path.name}: {error}") from None
