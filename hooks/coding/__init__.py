"""Coding logic shared by rules: studies, contrast, supplies, claims, settings and payers."""
