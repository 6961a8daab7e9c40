"""X12 837P and 837I (005010X222, 005010X223): a file as a stream of claims, each as a FHIR Bundle."""
