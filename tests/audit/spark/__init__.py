"""The audit on Spark, held against the embedded one: run by `make test-spark`, in an environment of its own."""
