"""Claims in the forms of coders and of billing systems, turned into FHIR."""
