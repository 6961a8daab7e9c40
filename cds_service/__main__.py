"""`python -m cds_service` is the command `cds-service`."""

from cds_service.cli.main import main

main(prog_name="cds-service")
