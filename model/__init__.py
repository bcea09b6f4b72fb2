"""Extraction, training, evaluation and prediction for lymph-node whole-slide images."""
