"""The machine: reads FHIR R4, runs rules over it and answers with CDS Hooks cards."""
