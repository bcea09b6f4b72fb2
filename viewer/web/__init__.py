"""HTTP: pages, tiles and the JSON API."""
