"""`/ask`: a question in words, answered from the tables and the rules; a page and JSON. No question is ever logged."""

from flask import Blueprint, Response, request

from cds_service.ask.asker import LONGEST_QUESTION, Asker
from cds_service.ask.kinds import KINDS, NAMED_IN_WORDS
from cds_service.web import languages, page_headers
from cds_service.web.reference import page, vary_by_accept, wants_json
from cds_service.web.responses import as_json


def blueprint(asker: Asker) -> Blueprint:
    """The route of questions."""
    routes = Blueprint("ask", __name__, template_folder="templates")
    page_headers.register(routes, page_headers.WITHOUT_SCRIPTS)
    vary_by_accept(routes)
    languages.require_known(routes)

    @routes.get("/ask")
    def ask() -> Response:
        """Without a question, the page has examples, and the JSON declines."""
        question = request.args.get("q", "")
        answer = asker.ask(question, languages.requested())
        if wants_json():
            return as_json(answer)
        return page(
            "ask.html",
            answer=answer if question.strip() else None,
            examples=asker.knowledge.words.examples,
            longest=LONGEST_QUESTION,
            kinds=KINDS,
            named_in_words=NAMED_IN_WORDS,
        )

    return routes
