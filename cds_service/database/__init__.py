"""Storage in SQLite or PostgreSQL: schema, migrations, cards, feedback, audit log and insights."""
