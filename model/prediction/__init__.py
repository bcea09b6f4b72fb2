"""Prediction: opening slides, finding tissue, scoring cells, storing heat maps. The only side the viewer uses."""
