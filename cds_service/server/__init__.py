"""The production server: Granian, its workers and their memory."""
