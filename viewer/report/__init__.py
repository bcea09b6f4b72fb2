"""The report of one slide: gathered once, shown as a page and as a PDF."""
