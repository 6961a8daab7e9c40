"""A writer of the weekly copies of the Medicare Coverage Database in their true layout, with invented prose.

Its texts have what makes the true ones hard to read: HTML with line breaks in cells, entities escaped twice, cells of
more than 128 KiB, a text without a header, one byte of cp1252, and descriptors and prose that must not be kept.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HEADERS = {
    "article": "article_id,article_version,article_type,title,article_pub_date,article_eff_date,article_end_date,"
    "description,other_comments,sad_url,status,last_updated,history_exp,key_article,icd9_covered_para,"
    "icd9_noncovered_para,revenue_para,thirty_percent,article_rev_end_date,source_article_id,date_retired,keywords,"
    "icd10_doc,add_icd10_info,cms_cov_policy,display_id,reference_article",
    "article_future_retire": "article_id,retire_dt",
    "article_related_documents": "article_id,article_version,related_num,r_article_id,r_article_version,r_lcd_id,"
    "r_lcd_version,r_contractor_id,last_updated",
    "article_x_bill_code": "article_id,article_version,bill_code_id,bill_code_version,last_updated,description",
    "article_x_contractor": "article_id,article_version,article_type,contractor_id,contractor_type_id,"
    "contractor_version,last_updated",
    "article_x_hcpc_code": "article_id,article_version,hcpc_code_id,hcpc_code_version,hcpc_code_group,range,"
    "last_updated,long_description,short_description",
    "article_x_hcpc_code_group": "article_id,article_version,hcpc_code_group,paragraph,last_updated",
    "article_x_icd10_covered": "article_id,article_version,icd10_code_id,icd10_code_version,icd10_covered_group,range,"
    "last_updated,sort_order,description,asterisk",
    "article_x_icd10_covered_group": "article_id,article_version,icd10_covered_group,paragraph,last_updated,"
    "icd10_covered_ast",
    "article_x_icd10_noncovered": "article_id,article_version,icd10_code_id,icd10_code_version,icd10_noncovered_group,"
    "range,last_updated,sort_order,description",
    "article_x_icd10_noncovered_group": "article_id,article_version,icd10_noncovered_group,paragraph,last_updated",
    "article_x_primary_jurisdiction": "article_id,article_version,state_id,last_updated",
    "article_x_revision_history": "article_id,article_version,rev_hist_num,rev_hist_date,rev_hist_exp,last_updated",
    "contractor": "contractor_id,contractor_type_id,contractor_version,contractor_bus_name,contractor_number,dmerc_rgn,"
    "address1,address2,address3,city,state_id,zipcode,phone,fax,status,last_updated,url,email,ignore,status_flag,"
    "cmd_name,cmd_title,contractor_subtype_id",
    "contractor_jurisdiction": "contractor_id,contractor_type_id,contractor_version,state_id,last_updated,active_date,"
    "term_date",
    "contractor_type_lookup": "contractor_type_id,description",
    "state_lookup": "state_id,state_abbrev,description",
    "update_period": "period_id,begin_date,dis_end_date",
}
PROSE = "Prose that must not be kept, with a “quotation”,\r\n a comma and &amp;nbsp;"
DESCRIPTOR = "A descriptor that must not be kept"
TIME = "00:00:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """A group of diagnoses: its paragraph and codes; `*` behind a code marks it."""

    paragraph: str
    codes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleText:
    """An article as written. `macs` are numbers with their part (`B 15102`), `lists` the billing codes by group.

    `groups` are covered diagnoses by number, `not_covered` others.
    """

    id: int
    version: int = 1
    first: str = "2026-10-01"
    ends: str = ""
    retired: str = ""
    revised: str = ""
    retires: str = ""
    revision_ends: str = ""
    status: str = "A"
    display: str = ""
    macs: str = "B 15102"
    lists: Mapping[int, str] = field(default_factory=dict)
    groups: Mapping[int, Codes] = field(default_factory=dict)
    not_covered: Mapping[int, Codes] = field(default_factory=dict)
    lcd: str = ""
    state: str = ""


STATES = {"1": "NY", "2": "DN", "3": "QN", "4": "KY", "5": "FL", "6": "CNMI"}
TYPES = {"7": "DME MAC", "8": "MAC - Part A", "9": "MAC - Part B", "12": "A and B MAC"}
_TYPE_OF = {"A": "8", "B": "9", "AB": "12", "D": "7"}


def texts_of(
    articles: Iterable[ArticleText], edition: str = "2026-09-28", served: Mapping[str, str] | None = None
) -> dict[str, list[list[str]]]:
    """The rows of each text, without header. `served` are the states (by number in STATES) of a MAC's number."""
    texts: dict[str, list[list[str]]] = {name: [] for name in HEADERS}
    texts["contractor_type_lookup"] = [[key, name] for key, name in TYPES.items()]
    texts["state_lookup"] = [[key, name, "A state"] for key, name in STATES.items()]
    texts["update_period"] = [["1", "2015-09-24 00:00:00", "2015-10-01 00:00:00"], ["9", "", f"{edition} {TIME}"]]
    numbers: dict[tuple[str, str], str] = {}
    for each in articles:
        _add_article(texts, each, numbers)
    for (part, number), key in numbers.items():
        row = [key, _TYPE_OF[part], "3", "A contractor, Inc.", number, *[""] * 18]
        texts["contractor"].append(row)
        for state in (served or {}).get(number, "").split():
            texts["contractor_jurisdiction"].append([key, _TYPE_OF[part], "3", state, "", "", ""])
        texts["contractor_jurisdiction"].append([key, _TYPE_OF[part], "3", "5", "", "", f"2012-01-01 {TIME}"])
    return texts


def _time(day: str) -> str:
    return f"{day} {TIME}" if day else ""


def _add_article(texts: dict[str, list[list[str]]], each: ArticleText, numbers: dict[tuple[str, str], str]) -> None:
    key = [str(each.id), str(each.version)]
    columns = HEADERS["article"].split(",")
    cells = dict.fromkeys(columns, "") | {
        "article_id": key[0], "article_version": key[1], "title": "Billing and Coding", "status": each.status,
        "article_eff_date": _time(each.first), "article_end_date": _time(each.ends), "display_id": each.display,
        "date_retired": _time(each.retired), "article_rev_end_date": _time(each.revision_ends),
        "description": f"<p>{PROSE}</p>\r\n<ul>\n<li>Words</li></ul>",
    }  # fmt: skip
    texts["article"].append([cells[name] for name in columns])
    texts["article_x_revision_history"].append([*key, "1", _time(each.revised), PROSE, ""])
    texts["article_related_documents"].append([*key, "1", "", "", each.lcd, "1", "", ""])
    if each.retires:
        texts["article_future_retire"].append([key[0], _time(each.retires)])
    if each.state:
        texts["article_x_primary_jurisdiction"].append([*key, each.state, ""])
    for mac in each.macs.split(","):
        part, number = mac.split()
        contractor = numbers.setdefault((part, number), str(100 + len(numbers)))
        texts["article_x_contractor"].append([*key, "6", contractor, _TYPE_OF[part], "3", ""])
    for group, codes in each.lists.items():
        texts["article_x_hcpc_code_group"].append([*key, str(group), f"<p>{PROSE}</p>", ""])
        rows = [[*key, code, "57", str(group), "N", "", DESCRIPTOR, DESCRIPTOR] for code in codes.split()]
        texts["article_x_hcpc_code"] += rows
    for group, listed in each.groups.items():
        row = [*key, str(group), listed.paragraph, "", "<p>*Prose on marked codes</p>"]
        texts["article_x_icd10_covered_group"].append(row)
        for place, code in enumerate(listed.codes.split()):
            star = "Y" if code.endswith("*") else ""
            place_of = "M" if place else "B"
            row = [*key, code.rstrip("*"), "12", str(group), place_of, "", str(place), DESCRIPTOR, star]
            texts["article_x_icd10_covered"].append(row)
    for group, listed in each.not_covered.items():
        texts["article_x_icd10_noncovered_group"].append([*key, str(group), listed.paragraph, ""])
        for code in listed.codes.split():
            row = [*key, code, "12", str(group), "N", "", "1", DESCRIPTOR]
            texts["article_x_icd10_noncovered"].append(row)


def written(header: str, rows: Iterable[Sequence[str]], encoding: str = "utf-8") -> bytes:
    """A text as CSV with all cells in quotes, as exported; a character that the encoding lacks becomes an entity."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows([header.split(","), *rows])
    return text.getvalue().encode(encoding, "xmlcharrefreplace")


def mcd_zip(
    path: Path,
    articles: Iterable[ArticleText],
    edition: str = "2026-09-28",
    *,
    encoding: str = "utf-8",
    end_column: str = "end_date",
    served: Mapping[str, str] | None = None,
    inner_only: bool = False,
    without: str = "",
) -> Path:
    """A download: `current_article.zip` with the zip of CSV, and a copy in another form beside it; or the inner zip."""
    headers = HEADERS | {"update_period": HEADERS["update_period"].replace("dis_end_date", end_column)}
    texts = texts_of(articles, edition, served)
    members = {f"{name}.csv": written(headers[name], rows, encoding) for name, rows in texts.items()}
    members.pop(without, None)
    members["article_x_requestor_letters.csv"] = b'"1","2","no header"\r\n'
    inner = io.BytesIO()
    with zipfile.ZipFile(path if inner_only else inner, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    if not inner_only:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("current_article_csv.zip", inner.getvalue())
            archive.writestr("Data Dictionary.pdf", b"%PDF-1.7")
            archive.writestr("current_article_mdb.zip", b"PK\x03\x04 a database of another program")
    return path
