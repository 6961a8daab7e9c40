"""Cases as people have them, in billers' notation, and FHIR made of them."""
