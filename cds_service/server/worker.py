"""A worker process of the production server: the application with garbage collection tuned for calls."""

import gc

from flask import Flask

from cds_service import app

# Allocations minus deallocations before a young-generation collection. A 200 KB call makes thousands of objects without
# cycles; with Python's default of 700, or even 20,000, garbage collection took a tenth of the time.
_YOUNG_OBJECTS = 100_000


def create_app() -> Flask:
    """The application for serving. Objects made at startup are exempt from garbage collection."""
    made = app.create_app()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)
    return made
