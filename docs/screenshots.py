"""Makes docs/images anew from a running viewer: python docs/screenshots.py --base-url http://…

The demo (`make demo`) has all that is shown but a slide without resolution and a file nobody can
open; put one of each into a slide folder for these two pictures, or they stay as they are.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import click
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
MAX_BYTES = 380_000
WINDOW = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
ANALYSIS_MS = 30 * 60 * 1000

Slides = list[dict[str, Any]]


def save(page: Page, name: str) -> None:
    """A PNG of the page, with as many colours as fit into MAX_BYTES."""
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    for colours in (256, 160, 96, 64, 40):
        file = BytesIO()
        # By coverage: the colours of the legend are few pixels and must not be merged.
        palette = picture.quantize(colours, Image.Quantize.MAXCOVERAGE)
        picture.quantize(palette=palette, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        if file.tell() <= MAX_BYTES:
            break
    (IMAGES / f"{name}.png").write_bytes(file.getvalue())
    click.echo(f"{name}.png: {file.tell() / 1000:.0f} kB, {colours} colours")


def slides_of(page: Page, base_url: str) -> Slides:
    """Every slide, the most suspicious first."""
    items: Slides = page.request.get(f"{base_url}/api/v1/slides?sort=suspicion").json()["items"]
    return items


def first(slides: Slides, fits: Callable[[dict[str, Any]], bool]) -> Iterator[dict[str, Any]]:
    """The first slide that fits, or none."""
    yield from [slide for slide in slides if fits(slide)][:1]


def open_slide(page: Page, base_url: str, slide: dict[str, Any], view: str = "") -> None:
    """Open the viewer and wait for its tiles."""
    page.goto(f"{base_url}{slide['page_url']}{view}")
    page.wait_for_selector("body[data-ready]")
    page.wait_for_load_state("networkidle") if slide["state"] == "done" else None
    page.wait_for_selector(".leaflet-tile-loaded")
    page.wait_for_timeout(1500)


def hot_spot(page: Page) -> str:
    """A link to the middle of the heat map's most suspicious part, at 5×."""
    x, y = page.evaluate(HOT_SPOT)
    return f"#x={x}&y={y}&mag=5&ov=1&op=0.5"


# The coarsest value tile holds the whole map: the cell with the most suspicious surroundings.
HOT_SPOT = """async () => {
  const id = document.getElementById('viewer').dataset.slideId;
  const slide = await (await fetch(`/api/v1/slides/${id}`)).json();
  const map = await (await fetch(`/api/v1/analyses/${slide.analysis.id}/heatmap`)).json();
  const level = map.levels - 1;
  const url = map.tile_url.replace('{level}', level).replace('{column}', 0).replace('{row}', 0);
  const png = await import('/static/js/png-grey.js');
  const tile = await png.decodeGreyPng(await (await fetch(url)).arrayBuffer());
  const around = 6;
  let best = [-1, 0, 0];
  for (let y = around; y < tile.height - around; y++) {
    for (let x = around; x < tile.width - around; x++) {
      let sum = 0;
      for (let dy = -around; dy <= around; dy++)
        for (let dx = -around; dx <= around; dx++)
          sum += tile.values[(y + dy) * tile.width + x + dx];
      if (sum > best[0]) best = [sum, x, y];
    }
  }
  const g = map.geometry;
  return [
    Math.round(g.origin_l0_x_px + (best[1] + 0.5) * g.step_l0_x_px * 2 ** level),
    Math.round(g.origin_l0_y_px + (best[2] + 0.5) * g.step_l0_y_px * 2 ** level),
  ];
}"""


def picture_results(browser: Browser, base_url: str, slide: dict[str, Any]) -> None:
    """The viewer with a finished heat map, the sheet of keys, and a phone."""
    page = browser.new_page(viewport=WINDOW, color_scheme="dark")  # type: ignore[arg-type]
    open_slide(page, base_url, slide)
    save(page, "viewer")
    open_slide(page, base_url, slide, hot_spot(page))
    page.reload()
    page.wait_for_timeout(2500)
    page.mouse.move(520, 380)
    page.wait_for_timeout(300)
    save(page, "cells")
    page.keyboard.press("?")
    save(page, "shortcuts")
    phone = browser.new_page(viewport=PHONE, color_scheme="dark", has_touch=True)  # type: ignore[arg-type]
    open_slide(phone, base_url, slide)
    phone.click("#panel-toggle")
    save(phone, "narrow")


def picture_reading(browser: Browser, base_url: str, slide: dict[str, Any]) -> None:
    """What a reader does with a slide; the flag it sets for that is deleted afterwards."""
    page = browser.new_page(viewport=WINDOW, color_scheme="dark")  # type: ignore[arg-type]
    api = f"{base_url}/api/v1"
    page.request.put(f"{api}/me", data={"name": "A. Reader"})
    spots = f"{api}/analyses/{slide['score_analysis_id']}/hotspots?limit=1"
    x0, y0, x1, y1 = page.request.get(spots).json()["items"][0]["bbox_l0_px"]
    corners = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]
    flag = page.request.post(
        f"{api}/slides/{slide['id']}/flags",
        data={
            "kind": "box",
            "geometry": {"type": "Polygon", "coordinates": [corners]},
            "label": "Tumor",
            "reason": "To be measured",
        },
    ).json()
    open_slide(page, base_url, slide)
    page.keyboard.press("n")
    page.wait_for_timeout(4000)
    save(page, "tour")
    page.keyboard.press("v")
    page.keyboard.press("4")
    save(page, "verdict")
    page.keyboard.press("Escape")
    view = page.evaluate("() => location.hash")
    page.goto(f"{base_url}/compare?left={slide['id']}{view}")
    page.wait_for_selector("body[data-ready]")
    page.wait_for_timeout(4000)
    save(page, "compare")
    page.goto(f"{base_url}/slides/{slide['id']}/report")
    page.wait_for_load_state("networkidle")
    save(page, "report")
    page.goto(f"{base_url}/api")
    save(page, "api")
    current = {"If-Match": f'"{flag["version"]}"'}
    page.request.delete(f"{api}/flags/{flag['id']}", headers=current)


def picture_worklist(page: Page, base_url: str) -> None:
    """The worklist as a list and as a grid."""
    page.goto(base_url)
    page.wait_for_load_state("networkidle")
    save(page, "worklist")
    page.click("#layout-grid")
    page.wait_for_timeout(800)
    save(page, "worklist-grid")


def picture_running(browser: Browser, base_url: str, slide: dict[str, Any]) -> None:
    """A fresh analysis when a quarter of it is done; it is cancelled afterwards."""
    page = browser.new_page(viewport=WINDOW, color_scheme="dark")  # type: ignore[arg-type]
    started = page.request.post(
        f"{base_url}/api/v1/slides/{slide['id']}/analyses", data={"again": True}
    ).json()
    page.goto(f"{base_url}{slide['page_url']}")
    page.wait_for_function(
        "() => document.getElementById('analysis-progress')?.value > 0.25", timeout=ANALYSIS_MS
    )
    page.wait_for_timeout(1500)
    save(page, "running")
    page.request.post(f"{base_url}/api/v1/analyses/{started['id']}/cancel")


@click.command()
@click.option("--base-url", default="http://127.0.0.1:8000", show_default=True)
@click.option("--chromium", default="/usr/bin/chromium", show_default=True)
@click.option("--slide", "name", default="phantom", show_default=True, help="Part of its name.")
@click.option("--running/--no-running", default=True, help="Start an analysis to picture it.")
def main(base_url: str, chromium: str, name: str, running: bool) -> None:
    """Make the pictures of the documentation anew."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_page(viewport=WINDOW, color_scheme="dark")  # type: ignore[arg-type]
        slides = slides_of(page, base_url)
        for slide in first(
            slides, lambda slide: slide["state"] == "done" and name in slide["name"]
        ):
            picture_results(browser, base_url, slide)
            picture_reading(browser, base_url, slide)
            picture_worklist(page, base_url)
            if running:
                picture_running(browser, base_url, slide)
        for slide in first(slides, lambda slide: not slide["problem"] and not slide["mpp_x"]):
            open_slide(page, base_url, slide)
            save(page, "uncalibrated")
        for slide in first(slides, lambda slide: slide["problem"] is not None):
            page.goto(f"{base_url}{slide['page_url']}")
            save(page, "unreadable")
        browser.close()


if __name__ == "__main__":
    main()
