"""Sentinode web viewer. `create_app` wires the parts; `python -m viewer` starts them."""
