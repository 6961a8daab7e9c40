"""Tables and rules published: reference pages, FHIR terminology and audit questions."""
