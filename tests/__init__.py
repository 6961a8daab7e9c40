"""Tests of the machine and of the knowledge; `rules/` holds the rules' cases in billers' notation."""
