"""The rules, one file each; `README.md` one folder up says how to add one."""
