"""The messages of the knowledge: the sentences for patients, with their catalogs of translations."""

from pathlib import Path

import hooks
from cds_service.languages.extraction import Domain

KNOWLEDGE = Domain(
    name="the sentences about codes",
    root=Path(hooks.__file__).parent,
    sources={"codes/patient_words.yaml": "table"},
    catalogs=Path(__file__).parent / "catalogs",
)
