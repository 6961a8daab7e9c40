"""The words of the code pages: sections, headings of tables, names of fields, and values that are words."""

from dataclasses import dataclass

from cds_service.languages.worded import Worded, name, worded

SECTIONS = {
    "patient": worded("Patient-friendly description"),
    "necessity": worded("Medical necessity"),
    "guidelines": worded("Guidelines"),
    "roles": worded("Who gives, who reads"),
    "modifiers": worded("Modifiers"),
    "units": worded("Units"),
    "pairs": worded("NCCI pairs (not paid together)"),
    "crosswalk": worded("Crosswalk"),
    "compliance": worded("Compliance notes"),
    "coverage": worded("Medicare status and coverage"),
    "documentation": worded("Documentation"),
    "recognition": worded("Names of the study in records"),
}


@dataclass(frozen=True, slots=True)
class TablePlacement:
    """Section and headings of a table: `own` for a code's entries, `named` for entries of other codes that name it.

    If the entries are not billing codes, the whole table goes on the pages of the codes in `of`, with the columns in
    `only`.
    """

    section: str
    own: Worded
    named: Worded | None = None
    of: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


# A table that is not listed here gets its own section, under its own title.
PLACEMENTS = {
    "add_ons": TablePlacement("guidelines", worded("Primaries"), worded("Add-ons that may be charged with this code")),
    "whole_services": TablePlacement("guidelines", worded("Includes"), worded("Included in")),
    "pc_tc": TablePlacement("modifiers", worded("Professional and technical components (PC/TC)")),
    "modifiers": TablePlacement("modifiers", worded("Modifiers for single-dose drugs"), of=("Q9950", "Q9956", "Q9957")),
    "unit_limits": TablePlacement("units", worded("Maximum units per day (MUE)")),
    "pairs": TablePlacement("pairs", worded("Not paid with this code"), worded("This code is not paid with")),
    "crosswalk": TablePlacement(
        "crosswalk", worded("Medicare hospital code with contrast"), worded("Replaces, with contrast")
    ),
    "products": TablePlacement("crosswalk", worded("Product")),
    "opps": TablePlacement("coverage", worded("Medicare hospital outpatient payment status (OPPS)")),
    "relative_values": TablePlacement("coverage", worded("Medicare fee schedule: relative values (RVU)")),
    "policies": TablePlacement("coverage", worded("Policy"), worded("Coverage policies")),
    "documentation": TablePlacement(
        "documentation", worded("Items the record should contain"), of=("93352",), only=("name",)
    ),
    "studies": TablePlacement("recognition", worded("In any resource with the code")),
}
# Fields of entries as a reader names them. A field that is not listed is named as it is, in English.
FIELD_NAMES = {
    "about": worded("about"),
    "add_on": worded("add on"),
    "as": worded("as"),
    "code": worded("code"),
    "codes": worded("codes"),
    "contrast": worded("contrast"),
    "discontinued": worded("discontinued"),
    "echo": worded("echo"),
    "group": worded("group"),
    "hospital": worded("hospital"),
    "loinc": name("loinc"),
    "modifier": worded("modifier"),
    "name": worded("name"),
    "notes": worded("notes"),
    "once_per_study": worded("once per study"),
    "parts": worded("parts"),
    "primaries": worded("primaries"),
    "release": worded("release"),
    "required_parts": worded("required parts"),
    "setting": worded("setting"),
    "status": worded("status"),
    "system": worded("system"),
    "words": worded("words"),
    "first": worded("first"),
    "conversion_factor": worded("dollars per RVU"),
    "facility": worded("facility, RVU"),
    "facility_na": worded("not applicable in a facility (NA)"),
    "hospital_code": worded("hospital code"),
    "indicator": worded("PC/TC indicator"),
    "instead": worded("report instead"),
    "kind": worded("study"),
    "label_limit_ml": worded("label's maximum per study, mL"),
    "mai": worded("adjudication (MAI)"),
    "mg_per_unit": worded("mg in one unit"),
    "ndc": worded("NDC (labeler and product)"),
    "never": worded("never (indicator 0)"),
    "office": worded("office, RVU"),
    "rate": worded("national rate, dollars"),
    "refused_from": worded("claims without it returned from"),
    "rxnorm": name("RxNorm"),
    "rxnorm_ingredients": worded("RxNorm ingredients"),
    "shared_words": worded("names that products share"),
    "units": worded("units a day"),
    "units_per_vial": worded("HCPCS units in a vial"),
    "vial_from_memory": worded("vial size from memory"),
    "vial_ml": worded("vial, mL"),
    "with_modifier": worded("with a modifier (indicator 1)"),
}
# Values of fields that are words.
VALUES = {
    "setting": {"professional": worded("practitioner"), "facility": worded("hospital")},
    "kind": {"stress": worded("stress"), "rest": worded("rest"), "any": worded("any")},
    "system": {"billing": worded("billing"), "snomed": name("snomed")},
    "group": {
        "distinct": worded("distinct"),
        "repeated": worded("repeated"),
        "anatomic": worded("anatomic"),
        "global": worded("global"),
    },
}
KINDS = {
    "primary": worded("primary"),
    "add-on": worded("add-on"),
    "supply": worded("supply"),
    "stress-test": worded("stress-test"),
    "ecg": worded("ecg"),
    "injection": worded("injection"),
    "drug": worded("drug"),
    "other": worded("other"),
}
