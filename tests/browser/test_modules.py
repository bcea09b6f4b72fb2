"""Single modules of static/js, run where they run: in the browser."""

import base64
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage
from tests.browser.site import Site

pytestmark = pytest.mark.browser

USERS_GUIDE = Path(__file__).parents[2] / "docs" / "using.md"


@pytest.fixture
def page(site: Site, open_page: OpenPage) -> Page:
    """A page that Leaflet is loaded in; modules are imported by the tests."""
    site.start()
    page = open_page(f"{site.url}/")
    page.add_script_tag(url="/vendor/leaflet/leaflet.js")
    return page


def run(page: Page, module: str, code: str, argument: object = None) -> Any:
    """Evaluate `code` with the module as `m` and the argument as `a`."""
    load = f"const m = await import('/static/js/{module}.js')"
    return page.evaluate(f"async a => {{ {load}; return {code}; }}", argument)


@pytest.mark.parametrize("shape", [(256, 256), (7, 131), (1, 1)])
@pytest.mark.parametrize("kind", ["noise", "smooth"])
def test_png_values_arrive_exactly(page: Page, shape: tuple[int, int], kind: str) -> None:
    rng = np.random.default_rng(8)
    values = rng.integers(0, 256, shape)
    if kind == "smooth":  # makes the encoder use PNG's filters
        values = (np.add.outer(np.arange(shape[0]), np.arange(shape[1])) * 3 // 2) % 256
    file = BytesIO()
    Image.fromarray(values.astype(np.uint8)).save(file, "PNG")
    decoded = run(
        page,
        "png-grey",
        "[...(await m.decodeGreyPng(Uint8Array.from(atob(a), c => c.charCodeAt(0)).buffer))"
        ".values]",
        base64.b64encode(file.getvalue()).decode(),
    )
    assert decoded == values.ravel().tolist()


def lightness(rgb: list[int]) -> float:
    """CIE L*."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)
    ]
    y = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    return 116 * np.cbrt(y) - 16 if y > 0.008856 else 903.3 * y


@pytest.mark.parametrize("name", ["viridis", "inferno", "cividis", "amber"])
def test_colour_maps_are_ordered_in_lightness(page: Page, name: str) -> None:
    """So they can be read without telling hues apart; jet would fail this."""
    code = "Array.from({length: 65}, (_, i) => m.colorAt(a, i / 64))"
    steps = np.diff([lightness(rgb) for rgb in run(page, "colormaps", code, name)])
    assert (steps > 0).all() or (steps < 0).all()


def test_lookup_table_cuts_at_both_limits(page: Page) -> None:
    code = "[...m.lookupTable({lower: 0.2, upper: 0.8, colormap: 'viridis'})].map(c => c >>> 24)"
    alpha = np.array(run(page, "colormaps", code))
    half_a_step = 1 / 508
    probabilities = (np.arange(256) - 1) / 254
    inside = np.abs(probabilities - 0.5) <= 0.3 + half_a_step
    assert alpha[0] == 0  # not analysed
    assert np.array_equal(alpha == 255, inside)


@pytest.mark.parametrize(
    ("mpp", "magnification"),
    [
        (0.25, 40),
        (0.2431, 40),
        (0.23, 40),
        (0.499, 20),
        (0.46, 20),
        (0.97, 10),
        (0.325, 30.77),
    ],
)
def test_magnification_of_a_resolution(page: Page, mpp: float, magnification: float) -> None:
    assert run(page, "scale", "m.nativeMagnification(a)", mpp) == pytest.approx(
        magnification, rel=1e-3
    )


@pytest.mark.parametrize(
    ("um_per_px", "label"), [(0.25, "20 µm"), (1, "100 µm"), (0.06, "5 µm"), (13.4, "2 mm")]
)
def test_scale_bar_takes_the_longest_round_length(page: Page, um_per_px: float, label: str) -> None:
    bar = run(page, "scalebar", "m.scaleBar(a)", um_per_px)
    assert isinstance(bar, dict)
    assert run(page, "scalebar", "m.lengthLabel(a)", bar["length_um"]) == label
    assert bar["width_px"] * um_per_px == pytest.approx(bar["length_um"])
    assert 60 <= bar["width_px"] <= 150


def test_users_guide_lists_every_shortcut(page: Page) -> None:
    code = "m.KEYMAP.map(({keys, label}) => [m.keyName(keys[0]), label])"
    shortcuts = {tuple(pair) for pair in run(page, "shortcuts", code)}
    rows = re.findall(r"^\| `([^`]+)` \| (.+?) \|$", USERS_GUIDE.read_text("utf-8"), re.M)
    assert set(rows) == shortcuts
