"""The migrations, one numbered file each."""
