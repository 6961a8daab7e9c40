"""The machine's own messages: those of its pages, of its cards, and of the vocabulary of rules."""

from pathlib import Path

import cds_service
from cds_service.languages.catalogs import CATALOGS
from cds_service.languages.extraction import Domain

_REVIEW = ("articles", "patient", "payment", "reference", "report")

MACHINE = Domain(
    name="the pages",
    root=Path(cds_service.__file__).parent,
    sources={
        **dict.fromkeys((f"review/{name}.py" for name in _REVIEW), "python"),
        "audit/*.py": "python",
        "audit/templates/*.html": "jinja2",
        "audit/templates/*.js": "javascript",
        "database/connections.py": "python",
        "sandbox/*.py": "python",
        "web/*.py": "python",
        "web/static/**.js": "javascript",
        "ask/*.py": "python",
        "intake/*.py": "python",
        "web/templates/claim/*.html": "jinja2",
        "cms/answers.py": "python",
        "cms/articles.py": "python",
        "core/*.py": "python",
        "cdshooks/actions.py": "python",
        "cdshooks/cards.py": "python",
        "web/templates/insights/*.html": "jinja2",
        "web/templates/patient/*.html": "jinja2",
        "web/templates/reference/*.html": "jinja2",
        "web/templates/sandbox/*.html": "jinja2",
    },
    catalogs=CATALOGS,
)
