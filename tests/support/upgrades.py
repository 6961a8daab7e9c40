"""The upgrade of a database, as an operator does it."""

from click.testing import CliRunner

from cds_service.cli.main import main


def upgrade(url: str) -> None:
    """Upgrade the database at an address; a failure says what the command said."""
    result = CliRunner().invoke(main, ["database", "upgrade"], env={"CDS_DATABASE_URL": url}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
