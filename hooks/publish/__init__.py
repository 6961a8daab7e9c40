"""Tables and rules for readers: reference pages, FHIR terminology and the audit's headings."""
