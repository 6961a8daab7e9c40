"""Types that rules use: cases, findings and dated code tables. No I/O except reading table files."""
