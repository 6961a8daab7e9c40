"""The FHIR client, which queries a client's FHIR server for data missing from prefetch."""
