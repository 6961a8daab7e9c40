"""Answers questions in words from the tables and the rules, or declines them."""

from collections.abc import Iterable, Iterator

from cds_service.ask import loaded
from cds_service.ask.answer import Answer, Sentence, Understood
from cds_service.ask.claims import ClaimReviewer, Reviewed
from cds_service.ask.knowledge import Decline, Fact, Knowledge, Topic
from cds_service.ask.lexicon import plain_words
from cds_service.ask.question import Question, question_of
from cds_service.ask.readers import Reader, Translate, untranslated
from cds_service.ask.search import CodeSearch, Found
from cds_service.ask.spans import Reading, Recognizer
from cds_service.errors import BadRequest
from cds_service.intake.writer import CaseWriter
from cds_service.languages.known import ENGLISH, Language
from cds_service.languages.worded import prose
from cds_service.review.advisor import Advisor
from cds_service.review.reference import Reference

LONGEST_QUESTION = 500  # characters
MOST_SENTENCES = 16
_TWO = 2  # codes, for which a pair that is not listed is told too; of more, the rules tell
_FEW = 4  # codes that a description fits, for which more than their descriptions is told
_MOST_OF_TOPIC = 6  # facts of one topic and table


class Asker:
    """Answers questions; made once, and shared by threads."""

    def __init__(
        self,
        reference: Reference,
        advisor: Advisor,
        writer: CaseWriter,
        knowledge: Knowledge,
        translate: Translate = untranslated,
    ) -> None:
        self.knowledge = knowledge
        self.advisor = advisor
        self._reader = Reader(knowledge, (page.description for page in reference.pages), translate)
        self._search = CodeSearch(reference, knowledge)
        self._reviewer = ClaimReviewer(advisor, writer, knowledge)
        self._codes = frozenset(page.code for page in reference.pages)
        self._facts: dict[str, list[Fact]] = {}
        for fact in knowledge.facts:
            for topic in fact.topics:
                self._facts.setdefault(topic, []).append(fact)
        self._terms = {fact.subject: fact for fact in self._facts.get("glossary", ())}

    @property
    def recognizer(self) -> Recognizer:
        """Recognizes the parts of English texts."""
        return self._reader.english

    def ask(self, question: str, language: Language = ENGLISH) -> Answer:
        """The answer to a question. Raises BadRequest for one that is too long, which names `q` and the limit."""
        return self._answered(question_of(self._read(question, language), self.knowledge))

    def find(self, query: str, language: Language = ENGLISH) -> Found:
        """The codes that a query names or describes, and the answer to it. Raises BadRequest as `ask` does."""
        if not query.strip():
            return self._search.everything
        question = question_of(self._read(query, language), self.knowledge)
        return self._search.find(question, self._answered(question))

    def _read(self, text: str, language: Language) -> Reading:
        if len(text) > LONGEST_QUESTION:
            raise BadRequest(f"`q`: expected at most {LONGEST_QUESTION} characters", "q")
        return self._reader.read(text, language)

    def _answered(self, question: Question) -> Answer:
        words = self.knowledge.words
        if declined := self._declined(question):
            return self._answer(question, declined=declined)
        topics = self._topics(question)
        found = list(self._loaded(question, topics))
        unknown = [code for code in question.codes if code not in self._codes]
        listed = [each.text for each in found if loaded.NOT_LISTED not in each.id]
        named = {code for code in unknown if any(code in text for text in listed)}
        if missing := [code for code in unknown if code not in named]:
            return self._answer(question, declined=prose(words.unknown_code, codes=", ".join(missing)))
        if not question.has_subject and not any(topics[each].whole for each in topics):
            return self._concept(question, topics)
        reviewed = self._reviewed(question, topics)
        sentences = [*reviewed.sentences, *found, *self._pairs(question, topics), *self._facts_of(question, topics)]
        if not sentences:
            return self._answer(question, declined=words.nothing_found)
        return self._answer(question, sentences, self._asked(question, reviewed))

    # --- declining --------------------------------------------------------------------------------------------------

    def _declined(self, question: Question) -> str:
        """The sentence of a declined question; empty if it may be answered."""
        words = self.knowledge.words
        if not question.reading.words and not question.reading.spans:
            return words.not_text
        texts = (each.text for each in words.declines.values() if _is_declined(each, question.reading))
        return next(texts, "")

    def _concept(self, question: Question, topics: dict[str, Topic]) -> Answer:
        """The answer on codes that are described and not named; declined if a word was not understood."""
        words = self.knowledge.words
        if question.reading.not_understood:
            return self._answer(question, declined=words.nothing_found)
        pages = self._search.described(question.reading)
        if pages:
            codes, facts = tuple(page.code for page in pages), self._described(question)
            rest = list(self._facts_about(question, topics, codes)) if len(codes) <= _FEW and topics else []
            told = self._search.told(question.reading, self._facts["guidelines"] + self._facts["compliance"])
            return self._answer(question, [*(each.sentence for each in (*facts, *told[:_MOST_OF_TOPIC])), *rest])
        terms = self._term_facts(question, topics)
        if not terms:
            return self._answer(question, declined=words.nothing_found)
        return self._answer(question, terms)

    def _described(self, question: Question) -> list[Fact]:
        """The statements on the codes that the things of a question describe."""
        codes = {page.code for page in self._search.described(question.reading)}
        return [fact for fact in self._facts["codes"] if fact.subject in codes and fact.in_force(question.day)]

    # --- choosing ---------------------------------------------------------------------------------------------------

    def _topics(self, question: Question) -> dict[str, Topic]:
        """The topics of a question, by name: those it names, or the one that its parts stand for."""
        words = self.knowledge.words
        named = list(question.topics)
        if question.discarded:
            named.append(words.defaults["discarded"])
        if question.amounts or question.has_units:
            named.append(words.defaults["amount"])
        if question.modifiers:
            named.append(words.defaults["modifier"])
        if len(question.lines) > 1:
            named.append(words.defaults["pair"])
        if question.lines and len(question.lines) > 2:
            named.append(words.defaults["claim"])
        open_to_settings = {words.defaults[each] for each in ("code", "claim", "modifier")}
        if question.settings and question.codes and open_to_settings.issuperset(named):
            named.append(words.defaults["setting"])
        if not named and question.codes:
            named.append(words.defaults["code"])
        if question.modifiers and words.defaults["code"] in question.topics:
            named.insert(0, words.defaults["modifier"])  # what it means is asked of the modifier before the code
        return {name: words.topics[name] for name in dict.fromkeys(named)}

    def _reviewed(self, question: Question, topics: dict[str, Topic]) -> Reviewed:
        rules = list(dict.fromkeys(rule for each in topics.values() for rule in each.rules))
        if not rules:
            return Reviewed()
        return self._reviewer.review(question, rules, {rule for each in topics.values() for rule in each.passes})

    def _pairs(self, question: Question, topics: dict[str, Topic]) -> Iterator[Sentence]:
        """The pairs of the named codes in our own tables, if no loaded release answers."""
        if self.knowledge.words.defaults["pair"] not in topics and len(question.lines) < 2:
            return
        snapshot = self.advisor.tables.snapshot()
        for one, other in _combinations(tuple(code for code in question.codes if code in self._codes)):
            told = {each.id.rpartition(":")[2] for each in loaded.pair_sentences(snapshot, one, other, question.day)}
            for fact in self.knowledge.pair(one, other, question.day):
                is_new = fact.claim_type not in told and (fact.is_listed or len(question.codes) == _TWO)
                if is_new and self._is_of_setting(fact, question):
                    yield fact.sentence

    def _loaded(self, question: Question, topics: dict[str, Topic]) -> Iterator[Sentence]:
        """The statements of the loaded tables."""
        snapshot = self.advisor.tables.snapshot()
        if not snapshot.releases:
            return
        shown = {name for each in topics.values() for name in each.facts}
        for one, other in _combinations(question.codes):
            yield from loaded.pair_sentences(snapshot, one, other, question.day)
        for code in question.codes:
            is_other = code not in self._codes
            if is_other or loaded.UNIT_LIMITS in shown:
                yield from loaded.unit_sentences(snapshot, code, question.day)
            if is_other or loaded.ADD_ONS in shown:
                yield from loaded.add_on_sentences(snapshot, code, question.day)
            if not shown.isdisjoint({loaded.PAYMENT, loaded.STATUSES}):
                yield from loaded.payment_sentences(snapshot, code)

    def _facts_of(self, question: Question, topics: dict[str, Topic]) -> Iterator[Sentence]:
        """The statements of our own tables on the codes, modifiers and terms of a question."""
        yield from self._facts_about(question, topics, question.codes)
        if not question.lines and question.reading.of("thing"):
            yield from (fact.sentence for fact in self._described(question)[:_MOST_OF_TOPIC])
        if not question.codes or question.modifiers or question.terms:
            yield from self._term_facts(question, topics)

    def _facts_about(self, question: Question, topics: dict[str, Topic], codes: tuple[str, ...]) -> Iterator[Sentence]:
        subjects = {*codes, *question.modifiers}
        replaced = loaded.replaced_tables(self.advisor.tables.snapshot(), question.day)
        for topic in topics.values():
            for name in topic.facts:
                facts = self._facts.get(name, ())
                if codes or question.modifiers:
                    facts = [each for each in facts if _is_on(each, subjects, many=len(codes) > 1)]
                elif not topic.whole:
                    continue
                # Where a loaded release has told of these codes, our own table says nothing.
                facts = [
                    each
                    for each in facts
                    if each.subject not in subjects or replaced.isdisjoint({(name, each.claim_type), (name, "")})
                ]
                facts = [each for each in facts if each.in_force(question.day) and self._is_of_setting(each, question)]
                own_first = sorted(facts, key=lambda each: each.subject not in subjects)
                yield from (fact.sentence for fact in own_first[: _MOST_OF_TOPIC * max(1, len(codes))])

    def _term_facts(self, question: Question, topics: dict[str, Topic]) -> list[Sentence]:
        """The terms of the glossary that a question names, or that its topics and modifiers stand for."""
        words = self.knowledge.words
        of_modifiers = [
            term for each in question.modifiers if each in words.modifiers for term in words.modifiers[each].terms
        ]
        named = dict.fromkeys([*question.terms, *(() if question.codes else question.also_terms), *of_modifiers])
        by_modifier = [
            fact.sentence
            for name in ("drug-modifiers", "pair_modifiers")
            for fact in self._facts.get(name, ())
            if fact.subject in question.modifiers and not fact.codes
        ]
        if not (named or by_modifier or question.codes):
            named = dict.fromkeys(term for each in topics.values() for term in each.terms)
        return [*by_modifier, *(self._terms[term].sentence for term in named if term in self._terms)]

    def _is_of_setting(self, fact: Fact, question: Question) -> bool:
        """False for a statement on claims of the other type than the one of the stated setting."""
        if not fact.claim_type or not question.settings:
            return True
        claims = self.knowledge.words.settings[question.settings[0]].claims
        return ("institutional" if fact.claim_type == "facility" else "professional") in claims

    # --- the answer -------------------------------------------------------------------------------------------------

    def _asked(self, question: Question, reviewed: Reviewed) -> tuple[str, ...]:
        words = self.knowledge.words
        asked = list(reviewed.asked)
        if reviewed.sentences and not question.settings and reviewed.depends_on_setting:
            asked.insert(0, words.ask_setting)
        if (reviewed.sentences or question.has_year) and question.day is None:
            asked.append(prose(words.ask_day, day=self.knowledge.day))
        if any(payer != words.tables_of for payer in question.payers):
            asked.append(words.other_payer)
        return tuple(dict.fromkeys(asked))

    def _answer(
        self, question: Question, sentences: Iterable[Sentence] = (), asked: tuple[str, ...] = (), declined: str = ""
    ) -> Answer:
        reading = question.reading
        once = list({each.id + each.text: each for each in sentences}.values())
        return Answer(
            question=reading.text,
            answered=bool(once),
            understood=tuple(
                Understood(reading.text[each.start : each.end], each.kind, each.value, each.corrected)
                for each in reading.spans
            ),
            not_understood=reading.not_understood,
            answer=tuple(once[:MOST_SENTENCES]),
            asked=asked if once else (),
            declined="" if once else declined,
        )


def _combinations(codes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    ordered = sorted(codes)
    return ((one, other) for at, one in enumerate(ordered) for other in ordered[at + 1 :])


def _is_on(fact: Fact, subjects: set[str], many: bool) -> bool:
    """True if a statement is about a code or modifier; of several codes, about one by itself or about two together."""
    if not subjects.isdisjoint(fact.subjects):
        return True
    return len(fact.mentioned & subjects) > 1 if many else bool(fact.codes & subjects)


def _is_declined(decline: Decline, reading: Reading) -> bool:
    return any(_fits(each, reading) for each in decline.words) and not any(
        _fits(each, reading) for each in decline.unless
    )


def _fits(pattern: tuple[str, ...], reading: Reading) -> bool:
    return all(_has(part, reading) for part in pattern)


def _has(part: str, reading: Reading) -> bool:
    """True if a part of a pattern is in the text: a phrase, `@kind`, or `@kind=value`."""
    if part.startswith("@"):
        kind, _, value = part[1:].partition("=")
        return any(each.kind == kind and (not value or each.value == value) for each in reading.spans)
    wanted, words = plain_words(part), reading.words
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words) - len(wanted) + 1))
