"""FHIR R4 in and out: `read` fills a Case, `build` turns changes into FHIR, `strict` validates whole resources."""
