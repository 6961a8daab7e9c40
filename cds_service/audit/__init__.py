"""The audit: runs the rules over a FHIR Bulk Data export and writes findings, counts and a report.

`scan` parses lines, `patients` sorts a patient's records into cases, `reviewer` runs the rules over them.
`duckdb_engine` (DuckDB and a process pool) and `spark_engine` differ only in how they group records by patient.
Nothing here knows a billing code: the rules and `knowledge` are passed in.
"""
