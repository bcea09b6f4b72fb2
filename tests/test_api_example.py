"""The Python example of docs/api.md, run as it stands there."""

import re
import threading
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from tests.worklists import a_reading, a_slide, an_analysis, slide_id, store
from viewer.db import writing
from viewer.records import Hotspot
from viewer.tokens import create_token

API = Path(__file__).resolve().parent.parent / "docs" / "api.md"


@pytest.fixture
def server(app):
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def a_hotspot(number: int) -> Hotspot:
    measured = dict.fromkeys(("peak_probability", "mean_probability", "area_mm2"), 0.5)
    return Hotspot(
        analysis_id=f"{number:032x}",
        rank=1,
        longest_um=300.0,
        size_class="micro",
        x_l0_px=400.0,
        y_l0_px=300.0,
        bbox_l0_px=[380, 280, 420, 320],
        **measured,
    )


def test_the_example_lists_ten_slides_and_flags_the_worst(
    server, client, settings, sessions, monkeypatch, capsys
):
    numbers = range(1, 15)
    store(
        sessions,
        [a_slide(settings, n) for n in numbers],
        [an_analysis(n, n / 20, hotspots=1) for n in numbers if n != 13],
        a_reading(14, "reviewed"),
    )
    with writing(sessions) as session:
        session.add(a_hotspot(12))
        _, token = create_token(session, "Night script")
    monkeypatch.setenv("TOKEN", token)
    monkeypatch.setenv("SERVER", server)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (example,) = re.findall(r"```python\n(.*?)```", API.read_text(encoding="utf-8"), re.DOTALL)

    exec(compile(example, str(API), "exec"), {})

    *listed, last = capsys.readouterr().out.splitlines()
    assert listed == [f"{n / 20:.3f}     1  slide {n}.tif" for n in range(12, 2, -1)]
    assert last == "Flag 1 on slide 12.tif"
    (flag,) = client.get(f"/api/v1/slides/{slide_id(12)}/flags").get_json()["items"]
    assert flag["geometry"] == {"type": "Point", "coordinates": [400.0, 300.0]}
    assert flag["created_by"] == "Night script"
