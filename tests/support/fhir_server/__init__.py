"""A real FHIR R4 server on the loopback interface, for the tests."""
