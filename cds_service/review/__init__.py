"""Reviews a call or a Bundle: parses it, runs the rules and builds the response."""
