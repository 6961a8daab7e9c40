"""Tests of `cds_service/ask`."""
