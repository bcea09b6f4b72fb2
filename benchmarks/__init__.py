"""Measured against the plain way, as ratios in one run."""
