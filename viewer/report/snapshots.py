"""Pictures of places on a slide: the tissue, the same under the heat map, and a scale bar."""

from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from model.prediction.heatmap import Heatmap
from model.prediction.wsi import Mpp
from viewer.analyses.heat_pictures import hot_cells
from viewer.report.fonts import font_file
from viewer.slides.files import SlideFile
from viewer.slides.images import SlideImages
from viewer.slides.region_pixels import Box, region_size_px

SIDE_PX = 420
JPEG_QUALITY = 85
HEAT_OPACITY = 120
# A point has no size: it is shown with its surroundings.
LEAST_SIDE_UM, LEAST_SIDE_L0_PX = 400, 1600
MARGIN = 1.3
BAR_SHARE, BAR_STEPS_UM = 0.3, (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
INK, PAPER = (20, 20, 20), (255, 255, 255)


class Snapshot(NamedTuple):
    """One place twice, as JPEG; `heat` is None without a heat map to show."""

    plain: bytes
    heat: bytes | None


@dataclass(frozen=True)
class Camera:
    """Takes the pictures of one slide."""

    images: SlideImages
    file: SlideFile
    mpp: Mpp | None
    heatmap: Heatmap | None

    def place(self, bbox_l0_px: list[float], *, frame: bool = True) -> Snapshot:
        """The surroundings of a box (x0, y0, x1, y1), which is drawn as a frame."""
        box = self._around(bbox_l0_px)
        return self._take(box, tuple(bbox_l0_px) if frame else None)

    def whole(self, width_px: int, height_px: int) -> Snapshot:
        """The whole slide of this size."""
        return self._take(Box(0, 0, width_px, height_px), None)

    def _around(self, bbox: list[float]) -> Box:
        x0, y0, x1, y1 = bbox
        least = LEAST_SIDE_UM / max(self.mpp.x, self.mpp.y) if self.mpp else LEAST_SIDE_L0_PX
        side = max(least, MARGIN * max(x1 - x0, y1 - y0))
        return Box((x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side, side)

    def _take(self, box: Box, frame: tuple[float, ...] | None) -> Snapshot:
        rendered = self.images.region(self.file, box, SIDE_PX).render()
        tissue = Image.open(BytesIO(rendered.body)).convert("RGB")
        plain = self._finish(tissue.copy(), box, frame)
        if self.heatmap is None:
            return Snapshot(plain, None)
        heat = hot_cells(self.heatmap, box, region_size_px(box, SIDE_PX), HEAT_OPACITY)
        over = Image.alpha_composite(tissue.convert("RGBA"), Image.fromarray(heat)).convert("RGB")
        return Snapshot(plain, self._finish(over, box, frame))

    def _finish(self, image: Image.Image, box: Box, frame: tuple[float, ...] | None) -> bytes:
        draw = ImageDraw.Draw(image)
        scale = image.width / box.width_l0_px
        if frame is not None:
            _draw_frame(draw, frame, box, scale)
        if self.mpp is not None:
            _draw_scale_bar(draw, image.size, self.mpp.x / scale)
        file = BytesIO()
        image.save(file, "JPEG", quality=JPEG_QUALITY)
        return file.getvalue()


def _draw_frame(
    draw: ImageDraw.ImageDraw, frame: tuple[float, ...], box: Box, scale: float
) -> None:
    x0, y0 = (frame[0] - box.x_l0_px) * scale, (frame[1] - box.y_l0_px) * scale
    x1, y1 = (frame[2] - box.x_l0_px) * scale, (frame[3] - box.y_l0_px) * scale
    if x1 - x0 < 6 and y1 - y0 < 6:  # a point: a ring around it
        x0, y0, x1, y1 = x0 - 9, y0 - 9, x1 + 9, y1 + 9
    draw.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline=PAPER, width=3)
    draw.rectangle((x0, y0, x1, y1), outline=INK, width=1)


def bar_length_um(width_um: float) -> int:
    """The longest round length that takes at most `BAR_SHARE` of a picture this wide."""
    fitting = [step for step in BAR_STEPS_UM if step <= width_um * BAR_SHARE]
    return fitting[-1] if fitting else BAR_STEPS_UM[0]


def _draw_scale_bar(draw: ImageDraw.ImageDraw, size_px: tuple[int, int], um_per_px: float) -> None:
    length_um = bar_length_um(size_px[0] * um_per_px)
    length_px = length_um / um_per_px
    text = f"{length_um} µm" if length_um < 1000 else f"{length_um // 1000} mm"
    font = ImageFont.truetype(font_file("DejaVuSans.ttf"), 13)
    x, y = 12, size_px[1] - 14
    wide = max(length_px, draw.textlength(text, font=font))
    draw.rectangle((x - 6, y - 22, x + wide + 6, y + 8), fill=PAPER)
    draw.text((x, y - 20), text, fill=INK, font=font)
    draw.line((x, y + 1, x + length_px, y + 1), fill=INK, width=3)
