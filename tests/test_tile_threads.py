"""Many threads, forked processes and few places in the pool: never another tile's bytes."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.jpeg_slides import make_jpeg_slide, tissue
from viewer import create_app
from viewer.services import EXTENSION

SIZE = (800, 600)
TILES = [f"10/{column}_{row}" for column in range(4) for row in range(3)]
TILES += [f"{level}/0_0" for level in (9, 8, 7, 6)]


@pytest.fixture
def prefixes(slide_folder: Path, scan) -> list[str]:
    for number in range(4):
        make_jpeg_slide(
            slide_folder / f"{number}.tif",
            SIZE,
            draw=tissue(SIZE, number),
            level_factors=(1,) if number % 2 else (1, 2, 4),
        )
    return [item["dzi_url"].removesuffix(".dzi") + "_files/" for item in scan()]


def test_thousands_of_reads_at_once_give_each_its_own_tile(settings, app, client, prefixes):
    addresses = [f"{prefix}{tile}.jpeg" for prefix in prefixes for tile in TILES]
    expected = {address: client.get(address).data for address in addresses}
    small = create_app(settings.model_copy(update={"open_slides": 2, "tile_cache_mb": 1}))
    order = np.random.default_rng(1).integers(0, len(addresses), 2000)

    def read(number: int) -> bool:
        address = addresses[number]
        return bool(small.test_client().get(address).data == expected[address])

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, order))
    images = small.extensions[EXTENSION].images
    assert len(images.pool) <= 2
    images.close()
    small.extensions[EXTENSION].engine.dispose()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_reads_beside_its_parent(client, prefixes):
    addresses = [f"{prefix}{tile}.jpeg" for prefix in prefixes for tile in TILES[:12]]
    expected = {address: client.get(address).data for address in addresses}
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            wrong = sum(client.get(address).data != expected[address] for address in addresses * 5)
            os._exit(min(wrong, 255))
        children.append(child)
    assert all(client.get(address).data == expected[address] for address in addresses * 5)
    for child in children:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
