"""The thin shell: Flask blueprints that turn HTTP into calls of the core and its answers into HTTP."""
