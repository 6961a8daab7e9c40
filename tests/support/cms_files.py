"""A writer of CMS's true layouts, with invented rows: the files of a quarter as they are downloaded."""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

NOTICE = "Codes only copyright 2025 Example.  All rights reserved\xae."
PTP_HEADER = (
    f"{NOTICE}\t\t\t\t\t\t",
    "Column1/Column2 Edits\t\t\t\t\t\t",
    "Column 1\tColumn 2\t*=in existence\tEffective\tDeletion\tModifier\tPTP Edit Rationale",
    "\t\tprior to 1996\tDate\tDate\t0=not allowed\t",
    "\t\t\t\t*=no data\t1=allowed\t",
    "\t\t\t\t\t9=not applicable\t",
)
RATIONALE = "Invented rationale"

# column 1, column 2, first, last, indicator
PairEdit = tuple[str, str, str, str, str]


def ptp(edits: Iterable[Sequence[str]], header: Sequence[str] = PTP_HEADER) -> bytes:
    """Edits as (column 1, column 2, effective, deletion or `*`, indicator[, rationale[, `*` if before 1996]])."""
    lines = list(header)
    for column_1, column_2, first, last, indicator, *more in edits:
        rationale = more[0] if more else RATIONALE
        before = more[1] if len(more) > 1 else ""
        lines.append("\t".join((column_1, column_2, before, first, last, indicator, rationale)))
    return ("\r\n".join(lines) + "\r\n").encode("cp1252")


def comma_separated(rows: Iterable[Sequence[str]], end: str = "\r\n") -> bytes:
    """Rows as CSV in cp1252."""
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows(rows)
    return text.getvalue().encode("cp1252")


MUE_INDICATORS = {
    "1": "1 Line Edit",
    "2": "2 Date of Service Edit: Policy",
    "3": "3 Date of Service Edit: Clinical",
}


def mue(limits: Iterable[tuple[str, str, str]], service: str = "Practitioner Services") -> bytes:
    """Limits as (code, units, indicator)."""
    notice = f"{NOTICE}\n\nA second line.\n\nA third, with a comma."
    head = ["HCPCS/\nCPT Code", f"{service} MUE Values", "MUE Adjudication Indicator", "MUE Rationale"]
    rows = [[code, units, MUE_INDICATORS.get(mai, mai), "Nature of Service/Procedure"] for code, units, mai in limits]
    return comma_separated([[notice, "", "", ""], head, *rows])


def julian(day: str) -> str:
    """YYYY-MM-DD as YYYYDDD; blank for an empty text."""
    return date.fromisoformat(day).strftime("%Y%j") if day else " " * 7


# type, add-on, primary, first, last[, add-on's last[, primary's last]]
def add_ons(edits: Iterable[Sequence[str]]) -> bytes:
    """The fixed width form; days as YYYY-MM-DD or empty."""
    lines = []
    for kind, add_on, primary, first, last, *ends in edits:
        add_on_last, primary_last = (*ends, "", "")[:2]
        cells = kind, add_on, julian(add_on_last), primary, julian(primary_last), julian(first), julian(last)
        lines.append("".join(cells).ljust(97))
    return ("\r\n".join(lines) + "\r\n").encode()


ADD_ON_HEAD = (
    "AOC_Edit_Type",
    "Add-On_Code",
    "AOC_DelDT",
    "Primary_Code",
    "Primary_Code_DelDT",
    "AOC_Edit_EffDT",
    "AOC_Edit_DelDT",
    "Special_Instruction_Notes",
)


def add_ons_delimited(edits: Iterable[Sequence[str]], head: Sequence[str] = ADD_ON_HEAD) -> bytes:
    """The twin with a header, tab separated."""
    lines = [NOTICE, "\t".join(head)]
    for kind, add_on, primary, first, last in edits:
        lines.append("\t".join((kind, add_on, "", primary, "", julian(first).strip(), julian(last).strip(), "")))
    return ("\r\n".join(lines) + "\r\n").encode("cp1252")


FEE_LABELS = (
    "||||HCPCS",
    "||||MOD",
    "||||DESCRIPTION",
    "|||STATUS|CODE",
    "|NOT USED|FOR|MEDICARE|PAYMENT",
    "|||WORK|RVU",
    "|||NON-FAC|PE RVU",
    "||NON-FAC|NA|INDICATOR",
    "|||FACILITY|PE RVU",
    "||FACILITY|NA|INDICATOR",
    "|||MP|RVU",
    "|||NON-FACILITY|TOTAL",
    "|||FACILITY|TOTAL",
    "|||PCTC|IND",
    "|||GLOB|DAYS",
    "|||PRE|OP",
    "|||INTRA|OP",
    "|||POST|OP",
    "|||MULT|PROC",
    "|||BILAT|SURG",
    "|||ASST|SURG",
    "|||CO-|SURG",
    "|||TEAM|SURG",
    "|||PRIC|IND",
    "|||ENDO|BASE",
    "|||CONV|FACTOR",
    "|PHYSICIAN|SUPERVISION OF|DIAGNOSTIC|PROCEDURES",
    "|||CALCULATION|FLAG",
    "|DIAGNOSTIC|IMAGING|FAMILY|INDICATOR",
    "NON-FACILITY|PE USED|FOR OPPS|PAYMENT|AMOUNT",
    "FACILITY|PE USED|FOR OPPS|PAYMENT|AMOUNT",
    "|MP USED|FOR OPPS|PAYMENT|AMOUNT",
)


def fees(
    rows: Iterable[Sequence[str]],
    title: str = "2026 National Physician Fee Schedule Relative Value File October Release",
    factor: str = "33.4009",
    labels: Sequence[str] = FEE_LABELS,
) -> bytes:
    """Rows as (code, modifier, status, PC/TC indicator, work, office total, facility total)."""
    width = len(labels)
    titles = [title, NOTICE, NOTICE, "", "RELEASED 08/26/2026"]
    head = [["", "", each, *[""] * (width - 3)] for each in titles]
    head += [list(wrapped) for wrapped in zip(*(label.split("|") for label in labels), strict=True)]
    lines = []
    for code, modifier, status, pc_tc, work, office, facility in rows:
        cells = [code, modifier, "A descriptor that must not be kept", status, "", work, "1.00", "", "1.00", "NA"]
        cells += ["0.02", office, facility, pc_tc, "XXX", "0.00", "0.00", "0.00", "6", "0", "0", "0", "0", "9", ""]
        cells += [factor, "09", "0", "99", "0.00", "0.00", "0.00"]
        lines.append(cells[:width])
    return comma_separated([*head, *lines])


ADDENDUM_HEAD = (
    "HCPCS Code",
    "Short Descriptor",
    "SI",
    "APC",
    "Relative Weight",
    "Payment Rate",
    "National Unadjusted Copayment",
    "Minimum Unadjusted Copayment",
    "Note: Actual copayments would be lower due to the cap on copayments at the Inpatient Deductible of $1,600.00",
    "Drug and Device Pass-Through Expiration during Calendar Year",
    "* Indicates a Change",
)


def addendum_b(
    rows: Iterable[tuple[str, str, str, str]],
    titles: Sequence[str] = ("Addendum B.-OPPS Payment by HCPCS Code for CY 2026", "October 2026", NOTICE),
    head: Sequence[str] = ADDENDUM_HEAD,
) -> bytes:
    """Rows as (code, status, APC, rate)."""
    filled = [[each, *[""] * (len(head) - 1)] for each in (*titles, "", "", "", "")]
    lines = [
        [code, "A descriptor that must not be kept", status, apc, "12.3456", rate, ".", "$1,111.22", "", "", "*"]
        for code, status, apc, rate in rows
    ]
    return comma_separated([*filled, head, *lines])


HCPCS_HEAD = (
    "HCPC,SEQNUM,RECID,LONG DESCRIPTION,SHORT DESCRIPTION,PRICE1,PRICE2,PRICE3,PRICE4,MULT_PI,CIM1,CIM2,CIM3,MCM1,MCM2,"
    "MCM3,STATUTE,LABCERT1,LABCERT2,LABCERT3,LABCERT4,LABCERT5,LABCERT6,LABCERT7,LABCERT8,XREF1,XREF2,XREF3,XREF4,"
    "XREF5,COV,ASC_GRP,ASC_DT,OPPS,OPPS_PI,OPPS_DT,PROCNOTE,BETOS,TOS1,TOS2,TOS3,TOS4,TOS5,ANEST_BU,ADD DT,ACT EFF DT,"
    "TERM DT,ACTION CD"
).split(",")


def hcpcs(rows: Iterable[tuple[str, str, str, str]], head: Sequence[str] = HCPCS_HEAD) -> bytes:
    """The CSV form; rows as (code, record id, added, terminated), modifiers with three leading spaces."""
    lines = []
    for code, record, added, terminated in rows:
        cells = [code.rjust(5), "0010", record, "Words that\nmust not be kept", "Words", *[""] * 43]
        cells[30], cells[44], cells[45], cells[46], cells[47] = "D", added, added, terminated, "N"
        lines.append(cells)
    return comma_separated([head, *lines])


def hcpcs_fixed(rows: Iterable[tuple[str, str, str, str]]) -> bytes:
    """The fixed width form."""
    lines = []
    for code, record, added, terminated in rows:
        line = list(f"{code.rjust(5)}00100{record}{'Words that must not be kept':80}{'Words':28}".ljust(320))
        if record in "37":
            line[229] = "D"
            line[268:276], line[276:284] = added, added
            line[284:292] = terminated.ljust(8)
            line[292] = "N"
        lines.append("".join(line))
    return ("\r\n".join(lines) + "\r\n").encode()


CROSSWALK_HEAD = (
    "_2026_CODE,Short Description,LABELER NAME,NDC,Drug Name,HCPCS dosage,PKG SIZE,PKG QTY,BILLUNITS,BILLUNITSPKG"
).split(",")


def crosswalk(
    rows: Iterable[tuple[str, str, str]],
    head: Sequence[str] = CROSSWALK_HEAD,
    period: str = "Effective October 1, 2026 through December 31, 2026",
    file: str = "ASP",
) -> bytes:
    """Rows as (code, NDC, units)."""
    titles = [f"October 2026 {file} NDC - HCPCS Crosswalk for Medicare Part B Drugs", f"     {period}", "", NOTICE]
    lines = [
        [code, "Words", "Example\xae, Inc.", ndc, "Drug", "1 ML", "2", "4", units, "8"] for code, ndc, units in rows
    ]
    return comma_separated([*([each, *[""] * 9] for each in (*titles, "", "", "", "")), head, *lines])


LIMITS_HEAD = (
    "HCPCS Code,Short Description,HCPCS Code Dosage,Payment Limit,Co-insurance Percentage,Vaccine AWP%,Vaccine Limit,"
    "Blood AWP%,Blood limit,Clotting Factor,Notes,,"
).split(",")


def payment_limits(
    rows: Iterable[tuple[str, str]], period: str = "Effective October 1, 2026 through December 31, 2026"
) -> bytes:
    """Rows as (code, limit)."""
    titles = ["Payment Allowance Limits for Medicare Part B Drugs", "", period, "", NOTICE, NOTICE, "", ""]
    lines = [
        [code, "Words", "1 ML", limit, "20.000", "", "", "", "", "", "A note\nof two lines", "", ""]
        for code, limit in rows
    ]
    return comma_separated([*([each, *[""] * 12] for each in titles), LIMITS_HEAD, *lines])


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip of texts."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path
