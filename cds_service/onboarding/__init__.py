"""Onboarding of a site: codes in its records that are not understood, and lines for its site file."""
