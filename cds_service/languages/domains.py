"""The machine's own messages: those of its pages."""

from pathlib import Path

import cds_service
from cds_service.languages.catalogs import CATALOGS
from cds_service.languages.extraction import Domain

MACHINE = Domain(
    name="the pages",
    root=Path(cds_service.__file__).parent,
    sources={"review/patient.py": "python", "web/**.py": "python", "web/templates/**.html": "jinja2"},
    catalogs=CATALOGS,
)
