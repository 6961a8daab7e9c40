"""Dated code tables (YAML) and their loader."""
