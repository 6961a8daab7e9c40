"""FHIR R4 parsing: `read` builds a Case from resources, `validate` checks whole resources."""
