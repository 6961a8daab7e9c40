"""The web shell: Flask blueprints that translate HTTP requests into calls of the core, and its answers into HTTP."""
