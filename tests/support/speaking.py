"""The application with catalogs of a test in place of its own."""

from typing import Any

import pytest
from flask import Flask

from cds_service import app as composition
from cds_service.languages.catalogs import Catalogs
from cds_service.settings import Settings


def app_with(catalogs: Catalogs, **settings: Any) -> Flask:
    """The application in development mode, which says its texts with some catalogs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composition, "create_catalogs", lambda: catalogs)
        return composition.create_app(Settings(mode="development", **settings))
