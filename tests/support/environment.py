"""The settings in an environment: none of whoever runs the tests may reach one of them."""

from collections.abc import Mapping

from pydantic import AliasChoices

from cds_service.settings import Settings

_PREFIX = "CDS_"
_OTHER_NAMES = {
    str(name).upper()
    for field in Settings.model_fields.values()
    if isinstance(field.validation_alias, AliasChoices)
    for name in field.validation_alias.choices
}


def is_setting(name: str) -> bool:
    """True if the service may read a variable as one of its settings; it takes no notice of upper and lower case."""
    return name.upper().startswith(_PREFIX) or name.upper() in _OTHER_NAMES


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that are no settings."""
    return {name: value for name, value in environment.items() if not is_setting(name)}
