"""Going through a slide: hot spots and what readers say of them, the sweep, what was viewed."""
