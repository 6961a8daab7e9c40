"""The production server: Granian, its worker processes and memory settings."""
