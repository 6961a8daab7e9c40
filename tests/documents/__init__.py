"""Tests of the documentation and of `deploy/`."""
