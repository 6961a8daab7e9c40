"""The knowledge: billing codes of contrast stress echocardiography and the rules for charging them."""

import importlib
import pkgutil
from functools import cache
from pathlib import Path

import hooks.rules
from cds_service.cdshooks.services import Service
from cds_service.core.rules import Rule, find_rules
from cds_service.review.site_file import Vocabulary
from hooks.codes.tables import CODES, PRODUCTS, TOPICS
from hooks.coding.setting_and_payer import PAYERS, QUESTIONS
from hooks.coding.statements import SETTINGS

_FOLDER = Path(__file__).parent


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule in `hooks/rules/`, sorted by id."""
    return find_rules(hooks.rules)


def hook_definitions() -> dict[str, str]:
    """Definitions of our own hooks as Markdown, by the last part of the hook's name."""
    return {path.stem.replace("_", "-"): path.read_text(encoding="utf-8") for path in _FOLDER.glob("*_*.md")}


@cache
def all_services() -> tuple[Service, ...]:
    """Every service declared as `SERVICE` in a module of this folder, sorted by id."""
    modules = [importlib.import_module(f"hooks.{info.name}") for info in pkgutil.iter_modules(__path__)]
    declared = [module.SERVICE for module in modules if hasattr(module, "SERVICE")]
    return tuple(sorted(declared, key=lambda service: service.id))


def vocabulary() -> Vocabulary:
    """Names that a site file may use."""
    return Vocabulary(
        rules=frozenset(rule.id for rule in all_rules()),
        codes=frozenset(entry.code for entry in CODES),
        supplies=frozenset(product.code for product in PRODUCTS),
        questions=QUESTIONS,
        payers=PAYERS,
        settings=SETTINGS,
        topics=TOPICS,
    )
