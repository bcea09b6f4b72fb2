"""Evaluation: figures with their data, n and interval."""
