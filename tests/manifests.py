"""Manifests that tests make without slides."""

import numpy as np

from model.extraction.manifest import Manifest, make_table, read_manifest, write_manifest


def columns(name="a", labels=(0, 1), **changed):
    count = len(labels)
    values = {
        "slide": name,
        "patient": name,
        "x_l0_px": np.arange(count) * 384.0,
        "y_l0_px": 0.0,
        "step_l0_x_px": 4.0,
        "step_l0_y_px": 4.0,
        "size_px": 96,
        "tissue_share": 0.5,
        "tumour_share": np.array(labels, np.float64),
        "label": np.array(labels),
        "border": False,
        "hard": False,
        "seed": 3,
    }
    return values | changed


def table(name="a", labels=(0, 1), **changed):
    return make_table(columns(name, labels, **changed), len(labels))


def slide_record(patient="a", labels=(0, 1), **changed):
    record = {
        "file": f"slides/{patient}.tif",
        "patient": patient,
        "width_px": 400 * max(1, len(labels)),
        "height_px": 400,
        "positives": int(sum(labels)),
        "negatives": len(labels) - int(sum(labels)),
        "left_out": None,
    }
    return record | changed


def metadata(**slides):
    return {"settings": {"seed": 3}, "slides": slides, "study": "."}


def manifest_of(folder, **labels) -> Manifest:
    """A manifest with a slide (and patient) of each name and its labels, written and read."""
    tables = [table(name, values) for name, values in labels.items()]
    records = {name: slide_record(name, values) for name, values in labels.items()}
    write_manifest(folder / "manifest.parquet", tables, metadata(**records))
    return read_manifest(folder / "manifest.parquet")
