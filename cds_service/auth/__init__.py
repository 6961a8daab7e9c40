"""Client authentication: registrations, keys (JWKS), tokens and replay protection."""
