"""Flags: regions people mark on slides, with their history, and the files they travel in."""
