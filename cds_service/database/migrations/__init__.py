"""Migrations of the database schema; `cds-service database upgrade` applies missing ones."""
