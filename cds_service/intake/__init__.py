"""Claims in the forms of billing systems, turned into FHIR."""
