"""The service without its coding rules: parses FHIR R4, runs the rules and answers with CDS Hooks cards."""
