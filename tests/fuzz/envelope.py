"""The message around the data: its members, the body as a whole, and the headers with which it travels."""

import gzip
import random
from dataclasses import replace
from typing import Any

from tests.fuzz import odd
from tests.fuzz.bases import MARK, REVIEW, Base
from tests.fuzz.calls import route_of
from tests.fuzz.case import Case, Expected
from tests.fuzz.document import Document
from tests.support.ehr import PATHS

Random = random.Random

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def enveloped(base: Base, rng: Random) -> Case:
    """A call with a member of the message changed; a Bundle that is sent alone has no message around it."""
    if base.path == REVIEW:
        return reshaped(base, rng)
    document = Document(base.body)
    changes = [_wrong_member, _missing_member, _odd_text, _server, _token, _other_service, _unknown_member]
    name, expected = rng.choice(changes)(base, document.tree, rng)
    path = name.removeprefix("sent to ") if name.startswith("sent to ") else base.path
    return Case(
        name=f"{base.name}: {name}",
        route=f"POST {path}",
        path=path,
        body=document.encode(),
        expected=expected,
    )


def _members(tree: Any) -> list[tuple[Any, str, str]]:
    """Every member that a call may have: what holds it, its name and its path."""
    outer = [(tree, name, name) for name in ("hook", "hookInstance", "context", "prefetch", "fhirServer")]
    inner = ["userId", "patientId", "encounterId", *(["selections"] if tree["hook"] == "order-select" else [])]
    return outer + [(tree["context"], name, f"context.{name}") for name in inner]


_MAY_LACK = {"prefetch", "fhirServer", "context.encounterId", "context.userId"}


def _wrong_member(_: Base, tree: Any, rng: Random) -> tuple[str, Expected]:
    """A member of another type is refused by name, if it is used."""
    holder, name, path = rng.choice(_members(tree))
    right: dict[str, tuple[type, ...]] = {"context": (), "prefetch": (dict,), "selections": ()}
    wrong = [each for each in odd.NO_MEMBERS if not isinstance(each, right.get(name, ()))]
    if name == "selections":
        wrong = [5, True, MARK, {}, [5], [None]]
    holder[name] = rng.choice(wrong)
    if name == "userId":
        return f"wrong {path}", Expected(statuses=(200, 412), warned=(path,))
    return f"wrong {path}", Expected(statuses=(400,), field=path)


def _missing_member(base: Base, tree: Any, rng: Random) -> tuple[str, Expected]:
    holder, name, path = rng.choice(_members(tree))
    if rng.random() < 0.5:
        holder.pop(name, None)
    else:
        holder[name] = None
    if path not in _MAY_LACK:
        return f"no {path}", Expected(statuses=(400,), field=path)
    is_required = path == "context.encounterId" and "discharge" in base.path
    has_token = path == "fhirServer" and tree.get("fhirAuthorization")
    return f"no {path}", Expected(statuses=(400,) if is_required or has_token else (200, 412), field=path)


def _odd_text(_: Base, tree: Any, rng: Random) -> tuple[str, Expected]:
    texts = [each for each in _members(tree) if each[1] not in {"context", "prefetch", "fhirServer", "selections"}]
    holder, name, path = rng.choice(texts)
    holder[name] = rng.choice(odd.TEXTS)
    return f"odd {path}", Expected(statuses=(400,) if "hook" in name else (200, 400), field=path)


def _server(base: Base, tree: Any, rng: Random) -> tuple[str, Expected]:
    """A server that may not be asked: what is missing stays missing, and the rest is said."""
    had_one = "fhirServer" in tree
    tree["fhirServer"] = rng.choice(odd.SERVERS)
    if rng.random() < 0.5:
        tree["fhirAuthorization"] = odd.AUTHORIZATION
    like = () if had_one else (base.body,)
    return "odd fhirServer", Expected(statuses=(200, 400, 412), like=like, kept=base.body, field="fhirServer")


def _token(_: Base, tree: Any, rng: Random) -> tuple[str, Expected]:
    tree["fhirServer"] = "https://ehr.example.org/fhir"
    name = rng.choice([*odd.AUTHORIZATION, "patient"])
    value = rng.choice([5.5, [], {"a": MARK}, True])
    whole = rng.random() < 0.5
    tree["fhirAuthorization"] = value if whole else odd.AUTHORIZATION | {name: value}
    if not whole and name != "access_token":
        return f"wrong fhirAuthorization.{name}", Expected(statuses=(200, 412), warned=(f"fhirAuthorization.{name}",))
    return f"wrong fhirAuthorization.{name}", Expected(statuses=(400,), field="fhirAuthorization")


def _other_service(base: Base, _: Any, rng: Random) -> tuple[str, Expected]:
    path = rng.choice([each for each in PATHS.values() if each != base.path])
    return f"sent to {path}", Expected(statuses=(400,), field="hook")


def _unknown_member(base: Base, tree: Any, rng: Random) -> tuple[str, Expected]:
    holder = rng.choice([tree, tree["context"]])
    holder[rng.choice([MARK, "extension", "__proto__", "_hook", "Hook"])] = rng.choice([5, MARK, None, {"a": [MARK]}])
    return "unknown member", Expected(like=(base.body,), kept=base.body)


# --- the body as a whole --------------------------------------------------------------------------------------------


def reshaped(base: Base, rng: Random) -> Case:
    """A body that is cut, flipped, packed or declared as something else."""
    good = Case(name=base.name, route=route_of(base), path=base.path, body=base.body)
    changed = rng.choice([_no_message, _cut, _flipped, _prefixed, _packed, _declared, _chunked, _too_large])(good, rng)
    return replace(changed, name=f"{base.name}: {changed.name}")


def _with(case: Case, name: str, body: bytes, expected: Expected, **headers: str) -> Case:
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    return replace(case, name=name, body=body, expected=expected, headers=case.headers | given)


_REFUSED = Expected(statuses=(400,))


def _same(case: Case) -> Expected:
    return Expected(like=(case.body,), kept=case.body)


def _no_message(case: Case, rng: Random) -> Case:
    return _with(case, "no message", rng.choice(odd.NO_MESSAGES), _REFUSED)


def _cut(case: Case, rng: Random) -> Case:
    return _with(case, "cut off", case.body[: rng.randrange(len(case.body))], _REFUSED)


def _flipped(case: Case, rng: Random) -> Case:
    body = bytearray(case.body)
    for _ in range(rng.choice([1, 1, 2, 20])):
        body[rng.randrange(len(body))] = rng.randrange(256)
    return _with(case, "bytes flipped", bytes(body), Expected(statuses=(200, 400, 412)))


def _prefixed(case: Case, rng: Random) -> Case:
    """White space, and before all of it a byte order mark, are no part of the message; anything else is."""
    space, junk = [b" ", b"\n\r\t ", b" " * 50_000], [BYTE_ORDER_MARK, b"//\n", b")]}',\n", b"\x00", b"x", b"{}"]
    if rng.random() < 0.5:
        return _with(case, "in white space", rng.choice(space) + case.body + rng.choice(space), _same(case))
    more, is_before = rng.choice(junk), rng.random() < 0.5
    if is_before and more == BYTE_ORDER_MARK:
        return _with(case, "after a byte order mark", more + case.body, _same(case))
    return _with(case, "with junk around it", more + case.body if is_before else case.body + more, _REFUSED)


def _packed(case: Case, rng: Random) -> Case:
    packed = gzip.compress(case.body, 1, mtime=0)
    name = rng.choice(odd.PACKINGS)
    wrong_sum = packed[:-8] + bytes(each ^ 0xFF for each in packed[-8:-4]) + packed[-4:]
    broken = [packed[: rng.randrange(len(packed))], wrong_sum, b"\x1f\x8b" + packed[5:], case.body, b"", packed + b"x"]
    if rng.random() < 0.5:
        body = case.body if name == "identity" else packed
        return _with(case, f"packed ({name})", body, _same(case), Content_Encoding=name)
    if rng.random() < 0.7:
        return _with(case, "broken gzip", rng.choice(broken), _REFUSED, Content_Encoding="gzip")
    other = rng.choice(odd.OTHER_PACKINGS)
    return _with(case, f"packed ({other})", packed, Expected(statuses=(415,)), Content_Encoding=other)


def _declared(case: Case, rng: Random) -> Case:
    if rng.random() < 0.5:
        headers = {
            "Accept": rng.choice(odd.ACCEPTS),
            "Accept-Encoding": rng.choice(odd.ACCEPT_ENCODINGS),
        }
        named = {key.replace("-", "_"): value for key, value in headers.items()}
        return _with(case, "odd headers", case.body, _same(case), Content_Type=rng.choice(odd.JSON_TYPES), **named)
    other = rng.choice(odd.OTHER_TYPES)
    is_form_without_file = case.path == "/review" and other == "multipart/form-data"  # the page's upload of claims
    expected = Expected(statuses=(400,) if is_form_without_file else (415,))
    return _with(case, "not declared as JSON", case.body, expected, Content_Type=other)


def _chunked(case: Case, _: Random) -> Case:
    return replace(_with(case, "in chunks", case.body, _same(case)), chunked=True)


def _too_large(case: Case, rng: Random) -> Case:
    """More than is taken, as sent or unpacked; seldom, since it is slow to send."""
    limit = 10 * 1024 * 1024
    if rng.random() > 0.02:
        return _chunked(case, rng)
    expected = Expected(statuses=(413,))
    if rng.random() < 0.5:
        return _with(case, "too large", b" " * (limit + 1), expected)
    return _with(case, "too large unpacked", gzip.compress(b" " * (limit + 1)), expected, Content_Encoding="gzip")
