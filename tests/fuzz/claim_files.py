"""Files of claims for `/review`, with one thing done to them, or several: to bytes, elements and segments."""

import random

from tests.fuzz.bases import MARK, REVIEW
from tests.fuzz.case import Case, Expected
from tests.support.edi import EdiClaim, Segments, Style, changed, edi, line, lines, recounted

EDI_TYPE = "application/edi-x12"

_STYLES = [Style(), Style("|", ">", "~", "\r\n"), Style("*", ":", "\n", "")]
_PRODUCT = line("Q9957x2", products=[("11994001104", "1.5")])
_GARBLED = ["", "0", "-1", "1e400", "X" * 3000, "~", "ISA", "\u0661", "HC:93352", "20269999", "\ud7ff"]


def claim_file(rng: random.Random) -> Case:
    """A file of some claims that was damaged; names, addresses and numbers of its patients hold the mark."""
    claims = [_claim(rng, number) for number in range(rng.randrange(1, 6))]
    style = rng.choice(_STYLES)
    body = edi(*claims, style=style).replace(b"2 MAIN ST", MARK.encode())
    for _ in range(rng.randrange(3)):
        body = _damaged(body, style, rng)
    name = f"{len(claims)} claims, {len(body)} bytes"
    headers = {"Content-Type": EDI_TYPE}
    expected = Expected(statuses=(200, 400))
    return Case(name=name, route="POST /review (X12)", path=REVIEW, headers=headers, body=body, expected=expected)


def _claim(rng: random.Random, number: int) -> EdiClaim:
    is_hospital = rng.random() < 0.3
    charged = lines(rng.choice(["93351", "93350, 93352", "93351-26, 93352", "99213", "C8928, Q9957x2"]))
    return EdiClaim(
        f"C{number}",
        (*charged, _PRODUCT),
        kind="institutional" if is_hospital else "professional",
        facility="13" if is_hospital else rng.choice(["11", "22"]),
        frequency=rng.choice("11178"),
        filing=rng.choice(["MB", "MA", "16", "CI", "ZZ", ""]),
        member=MARK + str(rng.randrange(3)),
        dependent=rng.choice(["", "", MARK]),
    )


def _damaged(body: bytes, style: Style, rng: random.Random) -> bytes:
    kind = rng.randrange(4)
    if kind == 0:
        return body[: rng.randrange(len(body) + 1)]
    if kind == 1:
        at = rng.randrange(len(body) + 1)
        return body[:at] + rng.randbytes(rng.randrange(1, 40)) + body[at + rng.randrange(200) :]

    def change(segments: Segments) -> None:
        for _ in range(rng.randrange(1, 4)):
            if segments:
                _garble(segments, rng)
        if rng.random() < 0.7:
            recounted([each for each in segments if len(each) > 1])

    try:
        return changed(body, change, style)
    except UnicodeDecodeError:
        return body  # bytes were damaged before


def _garble(segments: Segments, rng: random.Random) -> None:
    at = rng.randrange(len(segments))
    if rng.random() < 0.3:
        del segments[at]
    elif rng.random() < 0.4:
        segments.insert(rng.randrange(len(segments) + 1), [*segments[at]])
    else:
        segments[at][rng.randrange(len(segments[at]))] = rng.choice(_GARBLED)
