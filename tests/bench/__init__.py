"""How fast the service is, beside a floor and a peer: `make bench`. What the figures mean is in `deploy/speed.md`."""
