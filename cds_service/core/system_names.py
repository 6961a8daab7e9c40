"""The names of code systems, for people."""

from cds_service.core.concepts import BILLING, CVX, ICD_10_CM, LOINC, NDC, REVENUE, RXNORM, SNOMED

SYSTEM_NAMES = {
    BILLING: "CPT or HCPCS",
    NDC: "NDC",
    RXNORM: "RxNorm",
    SNOMED: "SNOMED CT",
    LOINC: "LOINC",
    REVENUE: "revenue codes",
    CVX: "CVX",
    ICD_10_CM: "ICD-10-CM",
}
