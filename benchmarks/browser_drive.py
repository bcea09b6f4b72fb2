"""Moves the view of a viewer along a path, frame by frame, and films what is on the screen."""

import base64
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, CDPSession, Page

SIZE_PX = {"width": 1280, "height": 800}
LONGEST_MS = 180_000
MAGENTA = "#ff00ff"
# A picture counts as finished when no more than this share of its pixels differs from the last one
# of its rest by more than DIFFERENT grey levels.
SHARE = 0.001
DIFFERENT = 12

# Where to (share of the slide's width and height), zoom (log2 of CSS px per level-0 px), seconds on
# the way, seconds of rest there. The slide fills the window all the time.
PATH = [
    (0.38, 0.52, -3.0, 0.7, 1.5),
    (0.33, 0.45, -1.4, 0.6, 1.5),
    (0.45, 0.45, -1.4, 1.2, 1.0),
    (0.45, 0.58, -1.4, 1.2, 1.0),
    (0.46, 0.60, 0.0, 0.5, 1.5),
    (0.53, 0.66, 0.0, 1.6, 1.2),
    (0.50, 0.55, -3.6, 0.8, 1.5),
    (0.30, 0.40, -2.0, 0.5, 1.2),
    (0.25, 0.48, -0.3, 0.6, 1.5),
]
START = (0.5, 0.5, -4.1)

# Leaflet keeps no list of its maps; this notes the one that the page makes.
NOTE_MAP = """
let leaflet;
Object.defineProperty(window, 'L', { configurable: true, get: () => leaflet, set(value) {
  leaflet = value;
  value.Map.addInitHook(function () { window.theMap = this; });
}});
"""

OURS = """
() => {
  for (const part of document.querySelectorAll('.top, .notice, #panel, .stage > :not(#map)')) {
    part.style.setProperty('display', 'none', 'important');
  }
  for (const part of document.querySelectorAll('.stage, #map')) {
    part.style.background = '%(magenta)s';
  }
  const map = window.theMap;
  map.invalidateSize({ animate: false });
  window.moveView = {
    start: () => map._moveStart(true, false),
    to: (x, y, zoom) => map._move(L.latLng(y, x), zoom, { pinch: true }),
    end: (x, y, zoom) => { map._move(L.latLng(y, x), map._limitZoom(zoom)); map._moveEnd(true); },
    settled: () => !document.querySelector('img.leaflet-tile:not(.leaflet-tile-loaded)'),
  };
}
"""

PEER = """
() => {
  document.body.style.margin = 0;
  for (const part of document.querySelectorAll('body > :not(#view)')) part.style.display = 'none';
  const view = document.getElementById('view');
  Object.assign(view.style, {
    position: 'fixed', inset: 0, width: '100vw', height: '100vh', border: 0,
    background: '%(magenta)s',
  });
  const viewer = OpenSeadragon.getViewer(view);
  for (const control of [...viewer.controls]) control.element.style.display = 'none';
  viewer.scalebarInstance?.divElt.remove();
  document.querySelector('.navigator')?.remove();
  const to = (x, y, zoom) => {
    const scale = 2 ** zoom;
    const [width, height] = [innerWidth / scale, innerHeight / scale];
    const item = viewer.world.getItemAt(0);
    viewer.viewport.fitBounds(
      item.imageToViewportRectangle(x - width / 2, y - height / 2, width, height), true);
  };
  const settled = () => viewer.world.getItemAt(0).getFullyLoaded();
  window.moveView = { start: () => {}, to, end: to, settled };
}
"""

DRIVE = """
async ({ path, start, width, height }) => {
  const now = () => performance.timeOrigin + performance.now();
  const frame = () => new Promise(requestAnimationFrame);
  const wait = async ms => { for (const end = now() + ms; now() < end; ) await frame(); };
  const at = ([x, y, zoom]) => [x * width, y * height, zoom];
  window.moveView.start();
  window.moveView.end(...at(start));
  await wait(2500);
  const [LONGEST_REST_MS, AFTER_MS] = [20000, 400];
  let late = 0;
  const rests = [];
  let from = start;
  const began_ms = now();
  for (const [x, y, zoom, way_s, rest_s] of path) {
    const to = [x, y, zoom];
    window.moveView.start();
    for (const begin = now(); ; ) {
      const share = Math.min(1, (now() - begin) / (way_s * 1000));
      if (share >= 1) break;
      const eased = share * share * (3 - 2 * share);
      window.moveView.to(...at(from.map((value, i) => value + (to[i] - value) * eased)));
      await frame();
    }
    window.moveView.end(...at(to));
    const rest_ms = now();
    await wait(rest_s * 1000);
    // What stays is compared with: it has to be there, however slow the server.
    while (!window.moveView.settled() && now() - rest_ms < LONGEST_REST_MS) await frame();
    await wait(AFTER_MS);
    late += window.moveView.settled() ? 0 : 1;
    rests.push([rest_ms, now()]);
    from = to;
  }
  return { began_ms, rests, late };
}
"""


@dataclass(frozen=True)
class Run:
    """One way along the path; `late`: rests whose tiles were not all there after 20 s."""

    blank_mpx_s: float
    to_sharp_s: list[float]
    frames: int
    late: int
    requests: int


def run(
    browser: Browser, url: str, ours: bool, slide_px: tuple[int, int], latency_ms: float
) -> Run:
    """Drive one viewer along the path in a fresh profile."""
    context = browser.new_context(viewport=SIZE_PX, reduced_motion="no-preference")  # type: ignore[arg-type] # a literal
    page = context.new_page()
    try:
        if ours:
            page.add_init_script(NOTE_MAP)
        page.set_default_timeout(LONGEST_MS)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        session = context.new_cdp_session(page)
        if latency_ms:
            session.send("Network.enable")
            unlimited = {"downloadThroughput": -1, "uploadThroughput": -1, "offline": False}
            session.send("Network.emulateNetworkConditions", {"latency": latency_ms} | unlimited)
        page.goto(url)
        ready = "body[data-ready]" if ours else "#view .openseadragon-canvas"
        page.wait_for_selector(ready)
        if not ours:
            page.wait_for_function(
                "() => OpenSeadragon.getViewer(document.getElementById('view'))"
                "?.world.getItemAt(0)?.getFullyLoaded() !== undefined"
            )
        page.evaluate((OURS if ours else PEER) % {"magenta": MAGENTA})
        film = Film(session)
        told = page.evaluate(DRIVE, _drive_argument(slide_px))
        film.stop(page)
        return _measured(film, told, sum("_files/" in address for address in requests))
    finally:
        context.close()


def _drive_argument(slide_px: tuple[int, int]) -> dict[str, object]:
    return {"path": PATH, "start": START, "width": slide_px[0], "height": slide_px[1]}


class Film:
    """The pictures that Chromium put on the screen, each with its time (s since 1970)."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session
        self.times_s: list[float] = []
        self._pictures: list[str] = []
        session.on("Page.screencastFrame", self._take)
        session.send("Page.startScreencast", {"format": "jpeg", "quality": 80})

    def _take(self, frame: dict) -> None:  # type: ignore[type-arg] # CDP: any JSON
        self._session.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})
        self.times_s.append(frame["metadata"]["timestamp"])
        self._pictures.append(frame["data"])

    def stop(self, page: Page) -> None:
        """What was on its way is taken too."""
        page.wait_for_timeout(300)
        self._session.send("Page.stopScreencast")

    def picture(self, index: int) -> NDArray[np.int16]:
        """Pixels (h, w, 3)."""
        file = BytesIO(base64.b64decode(self._pictures[index]))
        return np.asarray(Image.open(file).convert("RGB"), dtype=np.int16)


def _measured(film: Film, told: dict[str, object], requests: int) -> Run:
    rests: list[tuple[float, float]] = told["rests"]  # type: ignore[assignment] # from DRIVE
    began_s, ended_s = float(str(told["began_ms"])) / 1000, rests[-1][1] / 1000
    times_s = np.array(film.times_s)
    shown = [i for i, t_s in enumerate(times_s) if began_s <= t_s <= ended_s]
    blank = 0.0
    until_s = [*(float(times_s[index]) for index in shown[1:]), ended_s]
    for index, end_s in zip(shown, until_s, strict=True):
        blank += _blank_px(film.picture(index)) * (end_s - float(times_s[index]))
    sharp = [_to_sharp_s(film, times_s, start / 1000, end / 1000) for start, end in rests]
    late = int(str(told["late"]))
    return Run(blank / 1e6, sharp, len(shown), late, requests)


def _blank_px(picture: NDArray[np.int16]) -> int:
    red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
    return int(((red > 200) & (green < 80) & (blue > 200)).sum())


def _to_sharp_s(film: Film, times_s: NDArray[np.float64], start_s: float, end_s: float) -> float:
    """From coming to rest until the picture is the one that stays."""
    during = np.flatnonzero((times_s >= start_s) & (times_s <= end_s))
    if not during.size:
        return 0.0
    last = film.picture(int(during[-1]))
    for index in during[::-1][1:]:
        different = np.abs(film.picture(int(index)) - last).max(axis=2) > DIFFERENT
        if different.mean() > SHARE:
            return float(times_s[index + 1] - start_s)
    return float(times_s[during[0]] - start_s)
