"""Prediction: opening slides, finding tissue, scoring cells, storing heat maps.

The only side of `model` that the viewer uses.
"""
