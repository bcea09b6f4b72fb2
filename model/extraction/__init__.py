"""Extraction: slides and masks made into training material, and phantom slides."""
