"""Entry point for `python -m cds_service`, the same as the `cds-service` command."""

from cds_service.cli.main import main

main(prog_name="cds-service")
