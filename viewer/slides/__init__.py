"""The slide library: finding, opening and tiling whole-slide images."""
