"""The manifest of patches: written whole or not at all, and not believed when it is read."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.extraction.errors import ManifestInvalid, WriteFailed
from model.extraction.files import whole_file
from model.extraction.manifest import NAMES, read_manifest, read_metadata, write_manifest
from tests.manifests import manifest_of, metadata, slide_record, table


def test_rows_and_metadata_come_back(tmp_path):
    manifest = manifest_of(tmp_path, a=[0, 1, 1], b=[0])
    assert len(manifest) == 4
    assert manifest.column("slide").tolist() == ["a", "a", "a", "b"]
    assert manifest.column("x_l0_px").tolist() == [0, 384, 768, 0]
    assert manifest.column("label").tolist() == [0, 1, 1, 0]
    assert manifest.column("seed").tolist() == [3] * 4
    assert manifest.slides["a"]["positives"] == 2
    assert manifest.slide_files()["b"] == tmp_path / "slides/b.tif"
    assert manifest.slide_files(tmp_path / "moved")["b"] == tmp_path / "moved/slides/b.tif"


def test_a_slide_without_patches_is_still_known(tmp_path):
    manifest = manifest_of(tmp_path, a=[0, 1], b=[])
    assert len(manifest) == 2
    assert set(manifest.slides) == {"a", "b"}


def test_any_reader_of_parquet_reads_it(tmp_path):
    manifest_of(tmp_path, a=[0, 1])
    plain = pq.read_table(tmp_path / "manifest.parquet")
    assert tuple(plain.column_names) == NAMES
    assert plain.column("patient").to_pylist() == ["a", "a"]


def test_hard_patches_are_added_to_those_marked_before(tmp_path):
    manifest = manifest_of(tmp_path, a=[0, 0, 0, 1]).with_hard(np.array([1]))
    assert manifest.with_hard(np.array([2])).column("hard").tolist() == [False, True, True, False]


@pytest.mark.parametrize("keep", [0.0, 0.4, 0.95])
def test_a_damaged_file_is_refused(tmp_path, keep):
    path = manifest_of(tmp_path, a=[0, 1] * 50).path
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(ManifestInvalid, match="could not be read"):
        read_manifest(path)
    assert read_metadata(path) is None


def test_a_missing_file_is_refused_without_its_folder(tmp_path):
    with pytest.raises(ManifestInvalid, match=r"'m\.parquet'") as caught:
        read_manifest(tmp_path / "m.parquet")
    assert str(tmp_path) not in str(caught.value)


def test_parquet_of_others_is_refused(tmp_path):
    pq.write_table(pa.table({"x": [1]}), tmp_path / "m.parquet")
    with pytest.raises(ManifestInvalid, match="other columns"):
        read_manifest(tmp_path / "m.parquet")
    pq.write_table(table(), tmp_path / "m.parquet")
    with pytest.raises(ManifestInvalid, match="not a manifest"):
        read_manifest(tmp_path / "m.parquet")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"label": [0, 2]}, "labels other than 0 and 1"),
        ({"tissue_share": [0.5, 1.5]}, "tissue_share outside"),
        ({"tumour_share": [0.5, np.nan]}, "tumour_share outside"),
        ({"size_px": 0}, "without a size"),
        ({"step_l0_x_px": np.nan}, "without a size"),
        ({"x_l0_px": [0.0, -5.0]}, r"outside their slides \(first in row 1\)"),
        ({"x_l0_px": [0.0, 1e6]}, "outside their slides"),
        ({"y_l0_px": np.nan}, "outside their slides"),
        ({"slide": "stranger"}, "outside their slides"),
    ],
)
def test_rows_that_cannot_be_are_refused(tmp_path, changed, reason):
    path = tmp_path / "m.parquet"
    write_manifest(path, [table("a", [0, 1], **changed)], metadata(a=slide_record("a", [0, 1])))
    with pytest.raises(ManifestInvalid, match=reason):
        read_manifest(path)


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    path = manifest_of(tmp_path, a=[0, 1]).path
    before = path.read_bytes()

    def tables():
        yield table()
        raise OSError(28, "No space left on device")

    with pytest.raises(WriteFailed, match="No space left on device"):
        write_manifest(path, tables(), metadata(a=slide_record()))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def test_a_kill_while_writing_leaves_no_file_of_that_name(tmp_path):
    script = f"""
        import os, pathlib
        from model.extraction.files import whole_file
        with whole_file(pathlib.Path({str(tmp_path / "x.bin")!r})) as file:
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), 9)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert killed.returncode == -9
    assert os.listdir(tmp_path) == ["x.bin.partial"]
    with whole_file(tmp_path / "x.bin") as file:
        file.write(b"whole")
    assert os.listdir(tmp_path) == ["x.bin"]


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path):
    # A limit on the size of files stands in for a full disk: writing fails at the same place.
    script = f"""
        import pathlib, resource
        from model.extraction.errors import WriteFailed
        from model.extraction.manifest import write_manifest
        from tests.manifests import metadata, slide_record, table
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            many = (table("a", [0, 1] * 5000) for _ in range(20))
            write_manifest(pathlib.Path({str(tmp_path / "m.parquet")!r}), many, metadata(a={{}}))
        except WriteFailed as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert "'m.parquet' could not be written: File too large" in done.stdout
    assert os.listdir(tmp_path) == []
