"""What is not tumour and yet lies on slides: glass, pen, padding, bubbles, tissue out of focus.

Each kind fills the left half of a small drawn slide whose right half is normal tissue, because the
tissue rule looks at a slide as a whole. Cells go the way of a slide: what the tissue rule calls no
tissue is not analysed, the rest is scored. The tissue is a mosaic of normal patches; only the cell
in the middle of each is looked at, so that no seam is nearer than a patch's own edge.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from model.prediction.models import Model
from model.prediction.scoring import plan_geometry
from model.prediction.slide import Mpp, Pixels, Wsi
from model.prediction.stain import each_normalised
from model.prediction.tissue import tissue_mask

TILES = 16  # patches along a side of the drawn slide
GLASS_RGB = (243, 242, 244)
GLASS_NOISE = 1.5  # standard deviation, of 255
PEN_PX = 260  # wide; 0.25 mm
PENS = {
    "green": (20, 130, 60),
    "blue": (25, 50, 160),
    "red": (215, 20, 25),
    "black": (25, 25, 28),
}
CONTROL = "normal tissue in focus"
Paint = Callable[["Canvas"], Pixels]


class Scorer(Protocol):
    """What gives probabilities (n,) for uint8 patches (n, side, side, 3)."""

    @property
    def model(self) -> Model:
        """The model behind it."""

    def probabilities(self, patches: Pixels) -> NDArray[np.float32]:
        """Probabilities (n,)."""


@dataclass(frozen=True)
class Canvas:
    """Normal tissue (side, side, 3) to draw on, and the generator of everything random."""

    tissue: Pixels
    random: np.random.Generator

    @property
    def glass(self) -> Pixels:
        """Empty glass of the same size."""
        noise = self.random.normal(0, GLASS_NOISE, self.tissue.shape)
        return np.clip(np.array(GLASS_RGB) + noise, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Negative:
    """Cells of one kind: all, those the tissue rule passes on, those called tumour."""

    name: str
    cells: int
    analysed: int
    called: int
    share_called: float  # of all cells
    highest: float | None  # probability among the analysed

    def to_json(self) -> dict[str, object]:
        """As JSON types."""
        return asdict(self)


class PictureWsi(Wsi):
    """A picture in memory as a slide of one level."""

    reader = "openslide"
    vendor = "memory"
    objective_power = None
    level_downsamples = ((1.0, 1.0),)
    level_origins_l0_px = ((0.0, 0.0),)
    tile_size_px = None
    bounds_offset_l0_px = (0, 0)
    icc_profile = None
    background_rgb = (255, 255, 255)
    series_uid = None

    def __init__(self, picture: Pixels, mpp: Mpp) -> None:
        self._picture, self.mpp = picture, mpp
        self.size_l0_px = picture.shape[1], picture.shape[0]
        self.level_sizes_px = (self.size_l0_px,)

    def read_level(self, level: int, x_px: int, y_px: int, width_px: int, height_px: int) -> Pixels:
        """Colours (height_px, width_px, 3); white outside the picture."""
        region = self.blank(width_px, height_px)
        rows, columns = self._picture.shape[:2]
        top, left = max(y_px, 0), max(x_px, 0)
        bottom, right = min(y_px + height_px, rows), min(x_px + width_px, columns)
        if top < bottom and left < right:
            part = self._picture[top:bottom, left:right]
            region[top - y_px : bottom - y_px, left - x_px : right - x_px] = part
        return region

    def close(self) -> None:
        """Nothing to free."""


def kinds() -> dict[str, Paint]:
    """Every kind by its name: what it makes of a canvas."""
    table: dict[str, Paint] = {
        CONTROL: lambda canvas: canvas.tissue,
        "glass": lambda canvas: canvas.glass,
        "black padding": lambda canvas: np.zeros_like(canvas.tissue),
        "air bubbles on glass": lambda canvas: _bubbles(canvas.glass, canvas.random),
        "air bubbles on tissue": lambda canvas: _bubbles(canvas.tissue, canvas.random),
    }
    for colour, rgb in PENS.items():
        table[f"{colour} pen on glass"] = _penned(rgb, on_tissue=False)
        table[f"{colour} pen on tissue"] = _penned(rgb, on_tissue=True)
    for sigma_px in (2, 4, 8):
        table[f"tissue out of focus, sigma {sigma_px} px"] = _blurred(sigma_px)
    return table


def score_negatives(
    scorer: Scorer,
    normal: Pixels,
    seed: int = 0,
    advance: Callable[[str], None] = lambda _: None,
) -> list[Negative]:
    """Draw every kind on normal patches (n, side, side, 3), and score it as a slide would be."""
    found = []
    for index, (name, paint) in enumerate(kinds().items()):
        random = np.random.default_rng([seed, index])
        tissue = mosaic(normal, np.random.default_rng(seed))  # the same under every kind
        half = tissue.shape[1] // 2
        drawn = np.concatenate([paint(Canvas(tissue, random))[:, :half], tissue[:, half:]], axis=1)
        found.append(_scored(scorer, name, drawn))
        advance(name)
    return found


def mosaic(normal: Pixels, random: np.random.Generator) -> Pixels:
    """TILES × TILES patches side by side, each used once if there are enough."""
    places = random.choice(len(normal), TILES**2, replace=len(normal) < TILES**2)
    side = normal.shape[1]
    grid = normal[places].reshape(TILES, TILES, side, side, 3)
    return grid.transpose(0, 2, 1, 3, 4).reshape(TILES * side, TILES * side, 3)


def _scored(scorer: Scorer, name: str, drawn: Pixels) -> Negative:
    model = scorer.model
    mpp = Mpp(model.spacing_um_px, model.spacing_um_px)
    with PictureWsi(drawn, mpp) as wsi:
        share = tissue_mask(wsi, mpp).share(plan_geometry(wsi, mpp, model))
    side, cell = model.patch_size_px, model.cell_size_px
    middle = (side // 2) // cell
    tiles = [(row, column) for row in range(TILES) for column in range(TILES // 2)]
    analysed = [
        (row, column)
        for row, column in tiles
        if share[row * side // cell + middle, column * side // cell + middle]
        >= model.min_tissue_share
    ]
    patches = [drawn[r * side : (r + 1) * side, c * side : (c + 1) * side] for r, c in analysed]
    scores = np.zeros(0, np.float32)
    if patches:
        scores = scorer.probabilities(each_normalised(np.stack(patches), model.stain))
    called = int((scores >= model.threshold).sum())
    highest = float(scores.max()) if len(scores) else None
    return Negative(name, len(tiles), len(analysed), called, called / len(tiles), highest)


def _penned(rgb: tuple[int, int, int], *, on_tissue: bool) -> Paint:
    def paint(canvas: Canvas) -> Pixels:
        under = canvas.tissue if on_tissue else canvas.glass
        side = len(under)
        strokes = Image.new("L", (side, side))
        pen = ImageDraw.Draw(strokes)
        for _ in range(3):
            x, y = canvas.random.integers(0, side, (2, 4))
            pen.line(list(zip(x.tolist(), y.tolist(), strict=True)), 255, PEN_PX, joint="curve")
        # Ink is a filter that light passes twice at its edges' unevenness, not paint.
        cover = np.asarray(strokes.filter(ImageFilter.GaussianBlur(4)), np.float32)[..., None] / 255
        cover = cover * canvas.random.uniform(0.8, 1.0)
        ink = under.astype(np.float32) * np.array(rgb, np.float32) / 255
        return np.asarray(under * (1 - cover) + ink * cover, np.uint8)

    return paint


def _blurred(sigma_px: float) -> Paint:
    return lambda canvas: np.asarray(
        Image.fromarray(canvas.tissue).filter(ImageFilter.GaussianBlur(sigma_px))
    )


def _bubbles(under: Pixels, random: np.random.Generator) -> Pixels:
    """Rings dark at the rim and bright within, under which everything is blurred."""
    side = len(under)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    picture = under.astype(np.float32)
    soft = np.asarray(Image.fromarray(under).filter(ImageFilter.GaussianBlur(3)), np.float32)
    for _ in range(14):
        centre_x, centre_y = random.uniform(0, side, 2)
        radius_px = random.uniform(60, 220)
        far = np.hypot(x - centre_x, y - centre_y) / radius_px
        inside, rim = (far < 1)[..., None], np.exp(-(((far - 1) / 0.06) ** 2))[..., None]
        picture = np.where(inside, soft * 0.75 + 62, picture) * (1 - 0.75 * rim)
    return np.clip(picture, 0, 255).astype(np.uint8)
