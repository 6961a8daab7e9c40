"""Questions in words, answered from the tables and the rules."""
