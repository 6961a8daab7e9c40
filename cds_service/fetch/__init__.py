"""The FHIR client: queries to a client's FHIR server for data missing from prefetch."""
