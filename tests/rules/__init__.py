"""Tests of the rules: YAML cases in billers' notation and their runner."""
