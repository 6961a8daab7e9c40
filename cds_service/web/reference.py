"""`/codes`, `/modifiers`, `/rules`, `/glossary`: the reference, as HTML for users or as JSON, by `Accept`."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from flask import Blueprint, Response, render_template, request, url_for
from markupsafe import Markup, escape

from cds_service.ask.asker import Asker
from cds_service.ask.search import Found
from cds_service.languages.worded import plain_text
from cds_service.review.advisor import Advisor
from cds_service.review.articles import articles_on_code, without_articles
from cds_service.review.glossary import Term
from cds_service.review.payment import page_with_payments
from cds_service.review.reference import CodePage, Footnotes, ModifierPage, Reference, RulePage, rule_page
from cds_service.review.samples import SampleLibrary
from cds_service.web import languages, page_headers, spoken
from cds_service.web.responses import as_json, outcome


def blueprint(
    advisor: Advisor, reference: Reference, samples: SampleLibrary, asker: Asker, terms: tuple[Term, ...] = ()
) -> Blueprint:
    """The routes of the reference; `asker` searches the codes, `terms` are those of the glossary."""
    routes = Blueprint("reference", __name__, template_folder="templates", static_folder="static")
    rules = {rule.id: rule for rule in advisor.rules}
    routes.add_app_template_filter(_linker(reference, terms), "with_links")
    page_headers.register(routes, page_headers.WITHOUT_SCRIPTS)

    @routes.get("/codes")
    def codes() -> Response:
        written = request.args.get("q", "")
        query, found = written.strip(), asker.find(written, languages.requested())
        if wants_json():
            return as_json(_as_members(query, found))
        example = next(iter(reference.pages), None)
        return page("codes.html", query=query, codes=found.pages, found=found, example=example)

    @routes.get("/codes/<code>")
    def code(code: str) -> Response:
        found = reference.page(code)
        if found is None:
            return missing("code", url_for("reference.codes"))
        snapshot = advisor.tables.snapshot()
        found, payments = page_with_payments(found, snapshot, reference.meaning)
        loaded: dict[str, Any] = {
            "payments": payments,
            "articles": articles_on_code(found.code, advisor.site, snapshot),
        }
        if wants_json():
            return as_json({**_members(found), **loaded})
        return page("code.html", page=found, sources=Footnotes(), **loaded)

    @routes.get("/modifiers")
    def modifiers() -> Response:
        if wants_json():
            return as_json({"modifiers": reference.modifiers})
        return page("modifiers.html", modifiers=reference.modifiers, sources=Footnotes())

    @routes.get("/modifiers/<name>")
    def modifier(name: str) -> Response:
        found = reference.modifier(name)
        if found is None:
            return missing("modifier", url_for("reference.modifiers"))
        return as_json(_members(found)) if wants_json() else page("modifier.html", page=found, sources=Footnotes())

    @routes.get("/rules")
    def all_rules() -> Response:
        pages = [rule_page(rule, advisor) for rule in advisor.rules]
        return as_json({"rules": pages}) if wants_json() else page("rules.html", rules=pages)

    @routes.get("/rules/<rule_id>")
    def rule(rule_id: str) -> Response:
        if rule_id not in rules:
            return missing("rule", url_for("reference.all_rules"))
        described, examples = rule_page(rules[rule_id], advisor), samples.run(rules[rule_id], advisor)
        if wants_json():
            return as_json({**_members(described), "examples": examples})
        return page("rule.html", page=described, examples=examples)

    @routes.get("/glossary")
    def glossary() -> Response:
        snapshot = advisor.tables.snapshot()
        every = {each.code: articles_on_code(each.code, advisor.site, snapshot) for each in reference.pages}
        articles = {code: found for code, found in every.items() if found}
        if wants_json():
            return as_json({"terms": terms, "indicators": reference.indicators, "articles": articles})
        names = {term.id: term.name for term in terms}
        missing = without_articles(advisor.site, snapshot)
        return page(
            "glossary.html",
            terms=terms,
            names=names,
            indicators=reference.indicators,
            articles=articles,
            missing=missing,
            sources=Footnotes(),
        )

    vary_by_accept(routes)
    languages.require_known(routes)
    return routes


def vary_by_accept(routes: Blueprint) -> None:
    """Tell caches that the answers depend on `Accept`."""

    @routes.after_request
    def vary(response: Response) -> Response:
        response.vary.add("Accept")
        return response


def wants_json() -> bool:
    """True if `Accept` prefers JSON to HTML; HTML is the default."""
    offered = ["text/html", "application/json", "application/fhir+json"]
    return request.accept_mimetypes.best_match(offered, "text/html") != "text/html"


def page(template: str, status: int = 200, **content: Any) -> Response:
    """A page of the reference's templates, in the language of the request. Raises UnknownLanguage."""
    return spoken.page(f"reference/{template}", status, **content)


def english_page(template: str, status: int = 200, **content: Any) -> Response:
    """A page of the reference's templates that speaks English only."""
    return Response(
        render_template(f"reference/{template}", **content), status, content_type="text/html; charset=utf-8"
    )


def missing(what: str, back: str) -> Response:
    """The 404 page or JSON. It does not repeat the name, which may be anything."""
    if wants_json():
        return outcome(404, "not-found", f"no {what} has this name; {back} lists all")
    return page("missing.html", 404, what=what, back=back)


def _as_members(query: str, found: Found) -> dict[str, Any]:
    """The result of a search, without members that have no value."""
    more = {"didYouMean": found.corrected, "modifiers": found.modifiers, "answer": found.answer}
    more["declined"] = found.declined
    members = {"query": query, "codes": [_listed(page) for page in found.pages]}
    return members | {name: value for name, value in more.items() if value}


def _listed(page: CodePage) -> dict[str, Any]:
    return {
        "code": page.code,
        "kind": page.kind,
        "description": page.description,
        "cited": page.cited,
        "url": url_for("reference.code", code=page.code),
    }


def _members(page: RulePage | CodePage | ModifierPage) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(page, enc_hook=plain_text)
    return members


def _linker(reference: Reference, terms: tuple[Term, ...]) -> Callable[[str], Markup]:
    """A filter that links the codes in a text to their pages, and abbreviations to the glossary."""
    codes = frozenset(page.code for page in reference.pages)
    ids = {name: term.id for term in terms for name in (term.name, *term.also) if _ABBREVIATION.fullmatch(name)}
    known = _alternatives([*codes, *ids])

    def with_links(text: str) -> Markup:
        parts = known.split(escape(text))
        # The parts of an escaped text are escaped.
        return Markup("").join(linked(part) if number % 2 else Markup(part) for number, part in enumerate(parts))  # noqa: S704

    def linked(word: str) -> Markup:
        if word in codes:
            return Markup('<a href="{}">{}</a>').format(url_for("reference.code", code=word), word)
        address = url_for("reference.glossary", _anchor=ids[word])
        return Markup('<a class="term" href="{}">{}</a>').format(address, word)

    return with_links


_ABBREVIATION = re.compile(r"[A-Z]{2,}(/[A-Z]+)?")


def _alternatives(words: Iterable[str]) -> re.Pattern[str]:
    """A pattern of the words; it also matches a code that is followed by units (`CODEx2`)."""
    return re.compile(rf"(?<![0-9A-Za-z/])({'|'.join(map(re.escape, sorted(words)))})(?![0-9A-Z])")
