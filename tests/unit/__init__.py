"""Tests of single modules, in process."""
