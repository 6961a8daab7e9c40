"""Tests of the audit over bulk data exports."""
