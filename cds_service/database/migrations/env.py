"""Alembic environment: runs the migrations on the given connection and transaction."""

from alembic import context

from cds_service.database.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
context.run_migrations()
