"""A worker of the production server: the application, and a garbage collector that lets calls pass."""

import gc

from flask import Flask

from cds_service import app

# How many more objects are made than freed before the collector looks at the young ones. A call of 200 KB makes some
# thousands, none of them in a cycle, and several calls are under way; with Python's own 700, or even 20 000, the
# collector took a tenth of the time.
_YOUNG_OBJECTS = 100_000


def create_app() -> Flask:
    """The application as it is served. What was made at start stays, so the collector need not look at it again."""
    made = app.create_app()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)
    return made
