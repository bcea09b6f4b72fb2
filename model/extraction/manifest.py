"""The manifest: one row for each patch, no pixels. Parquet, with what made it in its metadata."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model.extraction.errors import ManifestInvalid
from model.extraction.files import whole_file

FORMAT = 1
METADATA_KEY = b"sentinode"
SCHEMA = pa.schema(
    [
        ("slide", pa.string()),
        ("patient", pa.string()),
        ("x_l0_px", pa.float64()),  # corner of the patch
        ("y_l0_px", pa.float64()),
        ("step_l0_x_px", pa.float64()),  # level-0 pixels for one pixel of the patch
        ("step_l0_y_px", pa.float64()),
        ("size_px", pa.int32()),  # side of the patch, in its own pixels
        ("tissue_share", pa.float32()),
        ("tumour_share", pa.float32()),
        ("label", pa.int8()),
        ("border", pa.bool_()),  # holds both tumour and what is not
        ("hard", pa.bool_()),  # a false positive of an earlier model, or settled by readers
        ("seed", pa.int64()),
    ]
)
NAMES = tuple(SCHEMA.names)
DAMAGED = "Make it again with `python -m model patches`."


@dataclass(frozen=True)
class Manifest:
    """Rows as columns of equal length, and metadata: `settings`, `slides` by name, `study`.

    `metadata["slides"][name]` holds the file, patient, size, µm/px, counts, and why it was left
    out if it was. `path` is where it was read from.
    """

    table: pa.Table
    metadata: dict[str, Any]
    path: Path

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> NDArray[Any]:
        """One column as an array, (rows,)."""
        return np.asarray(self.table.column(name).to_numpy())

    @property
    def slides(self) -> dict[str, dict[str, Any]]:
        """What is known of each slide, by name; slides without patches too."""
        slides: dict[str, dict[str, Any]] = self.metadata["slides"]
        return slides

    def slide_files(self, study: Path | None = None) -> dict[str, Path]:
        """Where each slide lies: in `study`, else in the study the manifest was made from."""
        folder = study or self.path.parent / self.metadata["study"]
        return {name: folder / slide["file"] for name, slide in self.slides.items()}

    def with_hard(self, rows: NDArray[np.intp]) -> "Manifest":
        """The same manifest with `rows` marked as hard (those marked before stay so)."""
        hard = self.column("hard").copy()
        hard[rows] = True
        index = self.table.schema.get_field_index("hard")
        table = self.table.set_column(index, "hard", pa.array(hard))
        return Manifest(table, self.metadata, self.path)


def make_table(columns: Mapping[str, Any], rows: int) -> pa.Table:
    """A table of the manifest's schema; a column given as one value holds it in every row."""
    arrays = [
        pa.array(
            np.full(rows, value) if np.ndim(value) == 0 else value, type=SCHEMA.field(name).type
        )
        for name, value in ((name, columns[name]) for name in NAMES)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def write_manifest(path: Path, tables: Iterable[pa.Table], metadata: Mapping[str, Any]) -> None:
    """Write all tables as one manifest, whole or not at all; raise WriteFailed.

    Tables are taken one after the other, so that only one is in memory.
    """
    described = json.dumps({"format": FORMAT, **metadata}, sort_keys=True).encode()
    schema = SCHEMA.with_metadata({METADATA_KEY: described})
    with whole_file(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table.replace_schema_metadata(schema.metadata))


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest; raise ManifestInvalid."""
    try:
        table = pq.read_table(path, read_dictionary=["slide", "patient"])
    except (OSError, pa.ArrowException) as error:
        raise ManifestInvalid(
            f"Manifest '{path.name}' could not be read ({type(error).__name__}).", DAMAGED
        ) from error
    manifest = Manifest(_plain(table, path), _metadata(table.schema, path), path)
    _check(manifest)
    return manifest


def read_metadata(path: Path) -> dict[str, Any] | None:
    """Metadata of a manifest without its rows, None if there is no whole manifest there."""
    try:
        return _metadata(pq.read_schema(path), path)
    except (OSError, pa.ArrowException, ManifestInvalid):
        return None


def _plain(table: pa.Table, path: Path) -> pa.Table:
    if tuple(table.column_names) != NAMES:
        missing = sorted(set(NAMES) - set(table.column_names))
        raise ManifestInvalid(
            f"Manifest '{path.name}' has other columns"
            + (f" (without {', '.join(missing)})." if missing else "."),
            DAMAGED,
        )
    try:
        return table.cast(
            pa.schema(
                [
                    field.with_type(table.schema.field(field.name).type)
                    if field.name in ("slide", "patient")
                    else field
                    for field in SCHEMA
                ]
            )
        )
    except pa.ArrowException as error:
        raise ManifestInvalid(
            f"Manifest '{path.name}' has columns of other types.", DAMAGED
        ) from error


def _metadata(schema: pa.Schema, path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads((schema.metadata or {})[METADATA_KEY])
        known = metadata["format"] == FORMAT and {"settings", "slides", "study"} <= set(metadata)
    except (KeyError, ValueError, TypeError) as error:
        raise ManifestInvalid(
            f"'{path.name}' is Parquet, but not a manifest of patches.", DAMAGED
        ) from error
    if not known:
        raise ManifestInvalid(f"Manifest '{path.name}' is of another version.", DAMAGED)
    assert isinstance(metadata, dict)
    return metadata


def _check(manifest: Manifest) -> None:
    """Refuse rows that cannot be, by the first rule broken."""
    rules = {
        "labels other than 0 and 1": ~np.isin(manifest.column("label"), (0, 1)),
        "patches without a size": (manifest.column("size_px") < 1)
        | ~(manifest.column("step_l0_x_px") > 0)
        | ~(manifest.column("step_l0_y_px") > 0),
        "patches outside their slides": _outside(manifest),
    }
    for name in ("tissue_share", "tumour_share"):
        share = manifest.column(name)
        rules[f"a {name} outside 0–1"] = ~((share >= 0) & (share <= 1))
    for what, broken in rules.items():
        if broken.any():
            raise ManifestInvalid(
                f"Manifest '{manifest.path.name}' holds {what} (first in row {broken.argmax()}).",
                DAMAGED,
            )


def _outside(manifest: Manifest) -> NDArray[np.bool_]:
    names = manifest.column("slide").astype(str)
    size_px = manifest.column("size_px")
    outside = np.zeros(len(manifest), np.bool_)
    limits = {
        name: (slide.get("width_px", 0), slide.get("height_px", 0))
        for name, slide in manifest.slides.items()
    }
    unique, inverse = np.unique(names, return_inverse=True)
    for axis, (corner, step) in enumerate(
        (("x_l0_px", "step_l0_x_px"), ("y_l0_px", "step_l0_y_px"))
    ):
        limit = np.array([limits.get(name, (0, 0))[axis] for name in unique], np.float64)[inverse]
        start = manifest.column(corner)
        end = start + size_px * manifest.column(step)
        # A level's size is rounded up, so its last pixel may reach past level 0.
        outside |= ~((start >= 0) & (end <= limit + manifest.column(step)))
    return outside
