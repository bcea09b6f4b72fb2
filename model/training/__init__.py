"""Training: labelled patches to model weights."""
