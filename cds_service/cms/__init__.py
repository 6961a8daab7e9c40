"""CMS's quarterly tables: readers of the published layouts, and a read-only store."""
