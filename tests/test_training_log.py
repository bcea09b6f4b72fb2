"""What a run tells: lines at once, and TensorBoard files where its writer is installed."""

import json
import sys

import pytest

from model.training.log import EVENTS_FOLDER, METRICS_FILE, Log


def tell(folder, steps, kept_bytes=0):
    with Log(folder, kept_bytes) as log:
        for step in steps:
            log.write(7, step, loss=step / 8, val_roc_auc=None)
        return log.bytes


def test_what_came_after_the_checkpoint_is_told_again(tmp_path):
    kept = tell(tmp_path, [1, 2])
    with (tmp_path / METRICS_FILE).open("a") as file:
        file.write('{"seed": 7, "step": 3, "lo')  # as a kill leaves it
    tell(tmp_path, [3, 4], kept)
    lines = (tmp_path / METRICS_FILE).read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]


def test_tensorboard_files_hold_the_curves(tmp_path):
    protos = pytest.importorskip("tensorboardX.proto.event_pb2", reason="needs tensorboardX")
    tell(tmp_path, [1, 2])
    [path] = (tmp_path / EVENTS_FOLDER / "seed-7").iterdir()
    data, found = path.read_bytes(), []
    while data:  # length (8 bytes), its checksum (4), the event, its checksum (4)
        length = int.from_bytes(data[:8], "little")
        event = protos.Event.FromString(data[12 : 12 + length])
        found += [(v.tag, event.step, v.simple_value) for v in event.summary.value]
        data = data[16 + length :]
    assert found == [("loss", 1, 0.125), ("loss", 2, 0.25)]


def test_without_tensorboard_the_lines_are_written_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    tell(tmp_path, [1])
    assert (tmp_path / METRICS_FILE).read_text()
    assert not (tmp_path / EVENTS_FOLDER).exists()


def test_processes_but_the_first_write_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tell(None, [1, 2]) == 0
    assert not list(tmp_path.iterdir())
