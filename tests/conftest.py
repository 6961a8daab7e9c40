"""What the tests share: an advisor in this process, and a running server of its own."""

from collections.abc import Iterator

import pytest

from cds_service.advice import Advisor
from cds_service.app import create_advisor
from cds_service.settings import Settings
from tests.running import ROOT, running

SAMPLES = sorted((ROOT / "sample_bundles").glob("*/*.json"))


@pytest.fixture(scope="session")
def advisor() -> Advisor:
    return create_advisor(Settings())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server process, started as `cds-service serve` starts it."""
    with running(tmp_path_factory.mktemp("server")) as service:
        yield service.address
