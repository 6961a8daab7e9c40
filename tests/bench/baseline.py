"""The baseline: a Flask app that parses the request and answers with a constant. No service in Python does less."""

import gc

import orjson
from flask import Flask, Response, request

ANSWER = b'{"cards":[]}'


def create_app() -> Flask:
    """The baseline, as the issue of speed defines it."""
    app = Flask(__name__, static_folder=None)

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:  # noqa: ARG001
        orjson.loads(request.data)
        return Response(ANSWER, content_type="application/json")

    return app


def create_frozen_app() -> Flask:
    """The same, with what was made at start kept out of the garbage collector's rounds, as the service does."""
    app = create_app()
    gc.collect()
    gc.freeze()
    return app
