"""The same rules over a year of records: FHIR Bulk Data exports in, findings, counts and a report out.

`scan` reads lines, `split` sorts a patient's records into cases, `audit` runs the rules over them; `embedded` (DuckDB
and a process pool) and `distributed` (Spark) differ only in how they bring the records of a patient together. Like the
rest of the machine it knows no billing code: rules and what else it must know come in through `knowledge`.
"""
