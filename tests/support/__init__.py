"""Shared test support: billers' notation, servers, tokens and generated exports."""
