"""Changes of the database's tables, oldest first; `cds-service database upgrade` applies those that are missing."""
