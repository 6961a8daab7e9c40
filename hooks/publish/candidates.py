"""Billing codes by the words of a local code's display, for a person who maps the codes of a site."""

import math
import re
from collections import Counter

from hooks.codes.tables import CODES, PRODUCTS, CodeEntry

_MOST = 6

# The kinds of record that name a drug, so that only supply codes can be meant.
_DRUGS = frozenset({"drug", "material"})

# Abbreviations and other words of charge masters, in the words of our descriptions.
_SYNONYMS = {
    **dict.fromkeys(("echocardiogram", "echocardiography", "echocardiographic", "echocard", "sonogram"), ("echo",)),
    **dict.fromkeys(("tte", "transthoracic"), ("rest", "echo")),
    "tee": ("transesophageal", "echo"),
    **dict.fromkeys(("dse", "ese", "sse"), ("stress", "echo")),
    **dict.fromkeys(("dobutamine", "exercise", "treadmill", "pharmacologic", "pharm", "str"), ("stress",)),
    **dict.fromkeys(("contr", "contrst", "cont", "enhanced", "enhancing", "uca", "uea"), ("contrast",)),
    **dict.fromkeys(("ekg", "electrocardiogram"), ("ecg",)),
    **dict.fromkeys(("lim", "ltd", "lmtd"), ("limited",)),
    **dict.fromkeys(("comp", "compl", "cmplt"), ("complete",)),
    **dict.fromkeys(("congen", "cong"), ("congenital",)),
    **dict.fromkeys(("interp", "int", "read", "reading"), ("interpretation",)),
    "colour": ("color",),
    "superv": ("supervision",),
}  # fmt: skip
_EMPTY = frozenset(
    "a all and as at by code each for from in its ml no of on or own per the to under used with wo".split()
)

# Words that many services share: without any other word in common, there is no candidate.
_GENERAL = frozenset(
    """
    an after again another body complete continuous discontinued drug during first follow further hospital hour imaging
    images injection interpretation into iv limited mg monitoring needs only parts physician placement procedure
    professional push release rest routine same study supervision test that time up without
    """.split()
)


def _tokens(text: str) -> frozenset[str]:
    words = re.findall(r"[a-z]{2,}", text.lower())
    return frozenset(each for word in words for each in _SYNONYMS.get(word, (word,))) - _EMPTY


def _entry_tokens(entry: CodeEntry) -> frozenset[str]:
    names = [name for product in PRODUCTS if product.code == entry.code for name in (product.name, *product.words)]
    return _tokens(" ".join([entry.words, *names, "contrast" if entry.kind == "supply" else ""]))


_ENTRIES = [(entry, _entry_tokens(entry)) for entry in CODES]
_WORDS = {entry.code: entry.words for entry in CODES}
_FREQUENCY = Counter(token for _, tokens in _ENTRIES for token in tokens)
# Rare words tell more than common ones, and these most of all.
_TELLING = frozenset({"stress", "contrast"})
_WEIGHT = {
    token: math.log(1 + len(_ENTRIES) / count) * (2 if token in _TELLING else 1) for token, count in _FREQUENCY.items()
}


def candidates(kind: str, display: str) -> dict[str, str]:
    """Billing codes that share words with a display, with our descriptions, at most six, best first.

    `kind` is the kind of record that carries the local code. These are hints by words, and no code is chosen by them.
    """
    wanted = _tokens(display)
    scores = {
        entry.code: sum(_WEIGHT[token] for token in tokens & wanted)
        for entry, tokens in _ENTRIES
        if tokens & wanted - _GENERAL and (kind not in _DRUGS or entry.kind == "supply")
    }
    enough = max(scores.values(), default=0) / 2
    ranked = sorted(scores, key=lambda code: -scores[code])  # equals in the order of the table
    return {code: _WORDS[code] for code in ranked[:_MOST] if scores[code] >= enough}
