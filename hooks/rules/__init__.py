"""The rules, one file each; `hooks/README.md` explains how to add one."""
