"""The audit on Spark, compared with the embedded engine: `make test-spark`, in its own environment."""
