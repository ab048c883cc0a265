"""Everything that blocks on the disk."""
