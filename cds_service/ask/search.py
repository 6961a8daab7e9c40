"""Finds codes by words, with synonyms."""

from cds_service.ask.knowledge import Knowledge
from cds_service.ask.lexicon import plain_words
from cds_service.ask.spans import Reading, Recognizer
from cds_service.review.reference import CodePage, Reference


class CodeSearch:
    """Finds the codes whose descriptions have all the words that a text names or stands for."""

    def __init__(self, reference: Reference, knowledge: Knowledge, recognizer: Recognizer) -> None:
        self._reference = reference
        self._knowledge = knowledge
        self._recognizer = recognizer
        self._words = [
            (page, frozenset(plain_words(" ".join((page.description, page.kind, *page.others)))))
            for page in reference.pages
        ]

    def described(self, reading: Reading) -> tuple[CodePage, ...]:
        """The codes that the things and settings of a reading describe, in table order; none without a thing."""
        wanted = {word for each in reading.of("thing", "word") if not each.negated for word in plain_words(each.value)}
        if not wanted:
            return ()
        settings = self._knowledge.words.settings
        hospital = {settings[each.value].search for each in reading.of("setting")}
        wanted |= {word for word in hospital if word}
        unwanted = {word for each in reading.of("thing", "word") if each.negated for word in plain_words(each.value)}
        unwanted |= {each.search for each in settings.values() if each.search} if hospital == {""} else set()
        return tuple(page for page, words in self._words if wanted <= words and not words & unwanted)
