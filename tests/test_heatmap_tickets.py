"""Value tiles of a finished heat map by the short way: same values, same rules, kept for ever."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.engine_room import Threads, heatmap_of, make_speckled, with_random_model, worker


@pytest.fixture
def settings(settings):
    return with_random_model(settings)


@pytest.fixture
def asked(client, slide_folder, scan):
    make_speckled(slide_folder / "slide.tif")
    return client.post(f"/api/v1/slides/{scan()[0]['id']}/analyses").get_json()["id"]


@pytest.fixture
def done(settings, sessions, asked):
    worker(settings, sessions).work_once(Threads().pool)
    return asked


@pytest.fixture
def tile_url(client, done):
    template = client.get(f"/api/v1/analyses/{done}/heatmap").get_json()["tile_url"]
    return template.format(level=0, column=0, row=0)


@pytest.fixture
def flask_calls(app):
    calls = []
    path = app.wsgi_app
    inner = path._app

    def noting(environ, start_response):
        calls.append(environ["PATH_INFO"])
        return inner(environ, start_response)

    path._app = noting
    return calls


def test_the_short_way_gives_the_same_values(client, settings, done, tile_url, flask_calls):
    answer = client.get(tile_url)
    assert (answer.status_code, answer.mimetype, flask_calls) == (200, "image/png", [])
    values = np.asarray(Image.open(BytesIO(answer.data)))
    assert np.array_equal(values, heatmap_of(settings, done).value_tile(0, 0, 0))
    other = client.get(f"/api/v1/analyses/{done}/heatmap/tiles/0/0_0.png")
    assert np.array_equal(np.asarray(Image.open(BytesIO(other.data))), values)
    assert answer.cache_control.immutable
    assert answer.headers["Content-Security-Policy"] == other.headers["Content-Security-Policy"]


def test_it_is_not_sent_twice(client, tile_url, flask_calls):
    etag = client.get(tile_url).headers["ETag"]
    again = client.get(tile_url, headers={"If-None-Match": etag})
    assert (again.status_code, again.data, flask_calls) == (304, b"", [])


def test_having_a_tile_whose_mark_begins_alike_is_not_having_it(client, tile_url):
    etag = client.get(tile_url).headers["ETag"]
    answer = client.get(tile_url, headers={"If-None-Match": f'{etag[:-1]}0"'})
    assert (answer.status_code, answer.headers["ETag"]) == (200, etag)


def test_a_heat_map_that_changed_is_not_shown_from_memory(
    client, settings, done, tile_url, flask_calls
):
    before = client.get(tile_url).data
    heatmap = heatmap_of(settings, done)
    heatmap.path.rename(heatmap.path.with_name("elsewhere"))
    assert client.get(tile_url).status_code == 404
    heatmap.path.with_name("elsewhere").rename(heatmap.path)
    assert client.get(tile_url).data == before


@pytest.mark.parametrize("tile", ["0/9_9", "7/0_0", "0/00_0"])
def test_outside_the_grid_is_404(client, tile_url, tile):
    assert client.get(tile_url.replace("0/0_0", tile)).status_code == 404


def test_a_forged_ticket_is_refused(client, tile_url):
    signature = tile_url.split("/0/0_0")[0].rsplit(".", 1)[1]
    answer = client.get(tile_url.replace(signature, "A" * 43))
    assert (answer.status_code, answer.get_json()["code"]) == (403, "ticket_invalid")


def test_while_it_runs_there_is_no_ticket(client, settings, sessions, asked):
    answer = client.get(f"/api/v1/analyses/{asked}/heatmap")
    assert answer.status_code == 404


def test_who_must_give_a_verdict_first_gets_no_ticket(app, client, settings, sessions, done):
    from viewer.services import EXTENSION, Services

    old: Services = app.extensions[EXTENSION]
    blind = old.settings.model_copy(update={"blind_first_read": ("all",)})
    app.extensions[EXTENSION] = Services(blind, old.engine, old.sessions, old.images)
    answer = client.get(f"/api/v1/analyses/{done}/heatmap")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "heatmap_locked")
