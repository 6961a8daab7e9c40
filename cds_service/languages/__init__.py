"""Sentences of the pages in ten languages: the languages, messages, and catalogs of translations."""
