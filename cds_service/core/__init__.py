"""The vocabulary of rules: cases, findings, dated tables. Does no I/O beyond reading table files."""
