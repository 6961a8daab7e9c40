"""The image, built and run: `make test-image`, where root and Debian's apt are there."""
