"""Unusual values, by the place they are put."""

from typing import Any

from tests.fuzz.bases import MARK

Json = dict[str, Any]

# --- readable, and something else -----------------------------------------------------------------------------------

CODES = [
    "93350", "93351", "93352", "C8928", "C8930", "93306", "93320", "93325", "Q9957", "Q9950", "Q9956", "A9700", "0439T",
    "93016", "93018", "93356", "99213", "26", "TC", "59", "JZ", "JW", "93350-26", "q9957", "00000", " 93352 ",
    "93352\t", "not a code", "11994-011-04", "professional", "institutional", "11", "22", "433233004",
]  # fmt: skip
SYSTEMS = [
    "http://www.ama-assn.org/go/cpt", "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "urn:oid:1.2.3",
    "http://hl7.org/fhir/sid/ndc", "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm", "",
    "http://terminology.hl7.org/CodeSystem/claim-type", "http://[::1", f"system of {MARK}",
]  # fmt: skip
DATES = [
    "2026", "2026-03", "9999-12-31", "0001-01-01", "1900-01-01", "2016-02-29", "2023-07-01", "2023-06-30", "2015-12-31",
    "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "2026-03-17T23:59:60Z",
]  # fmt: skip
TIMES = ["T12:00:00Z", "T23:59:59-12:00", "T00:30:00+14:00", "T12:00:00.123456789-05:00", "T23:59:60Z", ""]
NUMBERS = ["0", "-0.0", "1", "2", "0.1", "1.3", "3", "17", "99999", "1e-7", "0.30000000000000004", "2.000"]
STATUSES = [
    "draft", "active", "completed", "entered-in-error", "unknown", "billable", "billed", "planned", "aborted",
    "stopped", "not-billable", "not-done", "in-progress", "cancelled", "on-hold", "revoked", "final", "registered",
]  # fmt: skip
REFERENCES = [
    "Patient/someone-else", "Procedure/1", "#", "#med", "", "/", "urn:uuid:0", "http://[::1", "Encounter/E1", "?",
    "https://ehr.example.org/fhir/Patient/1/_history/2", "Practitioner/" + "x" * 64, "Patient/" + "y" * 5000,
    "../../etc/passwd", "javascript:alert(1)",
]  # fmt: skip
IDS = ["1", "x" * 64, "x" * 5000, "a b", "ü", "../..", "'; DROP TABLE feedback; --", "<b>", "a`b", "#", "urn:uuid:1"]
WORDS = [
    "A" * 100_000, "contrast " * 20_000, "Definity 1.3 mL, " * 5000, "1" * 50_000, "é" * 30_000, "\U0001d54f" * 20_000,
    "<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](http://evil.example/x.png)", "`" * 999, "|" * 99,
    "{{context.patientId}}", "%s%s%n{0}{x}", "$(touch /tmp/x)", "\u202e\u200b\ufeff", "a\nb\rc\td", "&lt;b&gt;",
    "(" * 3000, " " * 50_000 + "x", "no contrast was given; not done with contrast", "\\" * 1001, "*" * 5000,
]  # fmt: skip
TYPES = ["Claim", "ChargeItem", "Procedure", "Patient", "Basic", "Medication", "Observation", "Coverage", "Bundle"]
UNKNOWN_MEMBERS: list[Any] = [MARK, 7, {"a": [1, {"b": MARK}]}, [MARK] * 20, None, True, 1.5]

# --- damaged --------------------------------------------------------------------------------------------------------

OTHER_KINDS: dict[type, list[Any]] = {
    str: [MARK, "93352", "true"],
    bool: [True, False],
    int: [1, 93352, -1, 2**63],
    float: [1.5],
    list: [[MARK], [1], [{"a": MARK}], [[]], [None]],
    dict: [{"a": MARK}, {"reference": 5}, {"coding": MARK}, {"value": [MARK]}],
}
NO_NUMBERS = [MARK, "NaN", "sNaN", "Infinity", "-Infinity", "one", "1,3", "1.3 mL", "0x10", "1e999999999999", "--1"]
HUGE_NUMBERS = [
    "1e400", "-1e400", "1" + "0" * 400, "1" + "0" * 5000, "1e-99999999", "1e999999999", "1.0e99999999999999999999",
    "-1", "-0.5", "1e6", "18446744073709551616", "0." + "0" * 5000 + "1", "1" * 4299, "9" * 4301,
]  # fmt: skip
NO_STATUSES = [MARK, f"{MARK}'s", f"{MARK} - at `$.x`", f'"{MARK}"', "Billable", "done", "FINAL", "final "]
NO_DATES = [
    "yesterday", MARK, "17/03/2026", "03-17-2026", "2026-13-01", "2026-02-30", "2026-00-00", "0000-00-00", "2026-3-7",
    "20260317083000", "1773747000", "2026-03-1", "10000-01-01", "-2026-03-17", "2026-03-", "T08:00", " 2026-03-17",
    "\u0662\u0660\u0662\u0666-\u0660\u0663-\u0661\u0667", "2026/03/17", "2026-03-17X",
]  # fmt: skip
NO_TYPES: list[Any] = [
    "Rumour", "chargeitem", "", MARK, "ChargeItem ", "http://hl7.org/fhir/StructureDefinition/Claim", None, 5, [],
]  # fmt: skip
CONTROLS = ["\\u0000", "\\u0001", "\\u001f", "\\u0000" * 50, "\\b"]
SURROGATES = ["\\ud800", "\\udfff", "\\ud800\\ud800", "\\udc00\\ud800", "\\uD83D"]
NO_UTF8 = [b"\xff", b"\xc3", b"\xe9", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"]
NO_JSON = [
    b"NaN", b"Infinity", b"-Infinity", b"01", b"1.", b".5", b"+1", b"0x1", b"nul", b"True", b"'x'", b"", b'"\x00"',
    b'"\\x41"', b'"\n"', b"1e", b"[1,]", b"{,}", b'{"a"}', b"/*x*/1", b"undefined",
]  # fmt: skip

# --- instead of entries, keys and members ---------------------------------------------------------------------------

NO_ENTRIES: list[Any] = [
    5, MARK, [], None, {}, {"resource": None}, {"resource": 5}, {"resource": []}, {"resource": {}}, True,
    {"resource": {"resourceType": "Rumour", "id": MARK}}, {"resource": {"resourceType": 5}}, {"fullUrl": MARK},
    {"resource": {"resourceType": "ChargeItem", "status": MARK}}, {"resource": {"resourceType": "Claim"}},
    {"resource": {"resourceType": "Procedure", "status": "completed", "code": MARK}},
    {"resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "processing"}]}},
    {"resource": {"resourceType": "MedicationAdministration", "status": ["completed"]}},
    {"resource": {"resourceType": "Observation", "status": "final", "note": {"text": MARK}}},
    {"resource": {"resourceType": "Coverage", "status": "active", "payor": [MARK]}},
]  # fmt: skip
NO_BUNDLES: list[Any] = [
    5, MARK, [], [5], {}, True, {"resourceType": 5}, {"resourceType": "Bundle", "entry": 5},
    {"resourceType": "Bundle", "entry": {}}, {"resourceType": "Bundle", "link": [5]}, {"resourceType": "bundle"},
    {"resourceType": "Rumour"}, {"resourceType": "OperationOutcome", "issue": []}, {"resourceType": "Organization"},
    {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "OperationOutcome", "issue": []}}]},
]  # fmt: skip
ENTRY_MEMBERS: list[tuple[str, Any]] = [
    ("search", 5), ("search", MARK), ("search", {"mode": 5}), ("request", MARK), ("link", 5), ("response", []),
    ("fullUrl", 5), ("fullUrl", []), ("fullUrl", {}), ("resource", [5]),
]  # fmt: skip
ADDRESSES = ["", "urn:uuid:1", MARK, "http://[::1", "https://e.org/fhir/Patient/x", "x" * 10_000, "Patient/x", "#"]
NEXT_PAGES = ["http://127.0.0.1:9/fhir?page=2", "", None, "javascript:alert(1)", "file:///etc/passwd", "x" * 9999]
PREFETCH_KEYS = ["x", "Patient", "patient ", "", "__proto__", "a.b[0]", "ü", "x" * 3000]

NO_MEMBERS: list[Any] = [5, 1.5, True, [], [MARK], {"a": MARK}, {}]
TEXTS = ["", " ", MARK, "\u0000", "x" * 100_000, "Patient/", "a/b/c", "../x", "\u202e", "{{context.userId}}", "é"]
SERVERS = [
    "http://169.254.169.254/latest", "http://localhost:1/fhir", "file:///etc/passwd", "https://ehr.example.org/fhir",
    "http://[::1", "http://user:pw@127.0.0.1/fhir", "gopher://127.0.0.1", "http://127.0.0.1:99999", "//host", "http://",
    "http://127.1/", "http://0x7f000001/", "https://ehr.invalid/fhir/../..", "http://ü.example/", "h" * 50_000, "x",
    f"http://{MARK}.example/", "http://127.0.0.1:9/fhir?a=b#c", "http://1\n2/", " https://ehr.example.org/fhir",
    "\u0000",
]  # fmt: skip
AUTHORIZATION = {
    "access_token": MARK, "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.read", "subject": "cds",
}  # fmt: skip
NO_MESSAGES = [
    b"", b" ", b"null", b"[]", b"5", b'"text"', b"{}", b"true", b"NaN", b"{", b"}", b"[" * 100_000, b'{"a":' * 50_000,
    b"\xff\xfe{\x00}\x00", b"\x00", b"\x00" * 1000, b"<Bundle/>", b"hook=order-sign", b"{}{}", b"\x1f\x8b\x08", b"'",
    b"9" * 9999, b'{"hook": "\\ud800"}', b"[" * 400 + b"]" * 400,
    b'{"resourceType":"Bundle","entry":' + b"[" * 2000 + b"]" * 2000 + b"}",
]  # fmt: skip

# --- how it is sent -------------------------------------------------------------------------------------------------

JSON_TYPES = [
    "application/json",
    "application/fhir+json; charset=utf-8",
    "APPLICATION/JSON",
    "application/json+fhir",
    "text/json",
]
OTHER_TYPES = [
    "text/plain", "", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data", "json", "*/*", ";",
]  # fmt: skip
PACKINGS = ["gzip", "x-gzip", "GZIP ", "identity"]
OTHER_PACKINGS = ["br", "deflate", "gzip, gzip", "zstd", MARK, "gzip;q=1"]
ACCEPTS = [
    "text/html", "application/json", "application/fhir+json", "*/*", "", "x", "text/html;q=0", "a/b;q=banana", ",;,;q",
    "application/json;q=0.5, text/html;q=0.4", "*", "*/html", "text/html" * 500, "application/fhir+xml", "\xff\xfe",
]  # fmt: skip
ACCEPT_ENCODINGS = ["gzip", "br", "gzip;q=0", "*", "x" * 3000, "", "identity"]
PATH_WORDS = [
    "", "..", "../../etc/passwd", "%00", "%ff%fe", "%2e%2e%2f", "a" * 4000, "é", "<script>", "'", '"', "%", "%zz",
    "\u202e", "93352 ", "{{7*7}}", "${x}", "\\", "*", "?", "#", "Q9957x2", "__class__", "%0d%0aX: y", "%u0041", "0",
    "-1", "null", ";a=b",
]  # fmt: skip
QUERIES = [
    "", "?q=Definity", "?q=", "?q=%00", "?q=%ff", "?q=" + "x" * 4000, "?q[]=1&q=2", "?" + "&".join(["q=1"] * 999), "??",
    "?=&&=", "?q=<script>alert(1)</script>", "?_format=xml", "?q=%F0%9F%92%A9", "?q=(a%2B)%2B%24", "?q=%5C%5B", "?q=.*",
]  # fmt: skip
