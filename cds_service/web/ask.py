"""`/ask`: a question in words, answered from the tables and the rules; a page and JSON. No question is ever logged."""

from flask import Blueprint, Response, request

from cds_service.ask.asker import LONGEST_QUESTION, Asker
from cds_service.web import page_headers
from cds_service.web.reference import english_page, vary_by_accept, wants_json
from cds_service.web.responses import as_json


def blueprint(asker: Asker) -> Blueprint:
    """The route of questions."""
    routes = Blueprint("ask", __name__, template_folder="templates")
    page_headers.register(routes, page_headers.WITHOUT_SCRIPTS)
    vary_by_accept(routes)

    @routes.get("/ask")
    def ask() -> Response:
        """Without a question, the page has examples, and the JSON declines."""
        question = request.args.get("q", "")
        answer = asker.ask(question)
        if wants_json():
            return as_json(answer)
        asked = answer if question.strip() else None
        return english_page("ask.html", answer=asked, examples=asker.knowledge.words.examples, longest=LONGEST_QUESTION)

    return routes
