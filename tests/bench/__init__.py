"""Speed of the service against a minimal baseline and a peer: `make bench`; `deploy/speed.md` explains the figures."""
