"""The report as a PDF, A4."""

from collections.abc import Sequence
from io import BytesIO

from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace
from PIL import Image

from viewer.report import wording
from viewer.report.content import NOTICE, FlagEntry, ReportContent
from viewer.report.fonts import font_file
from viewer.report.snapshots import Snapshot

FONT = "DejaVu"
MARGIN_MM, GAP_MM = 15, 4
PICTURE_MM = 86
GREY, LINE, PALE = (95, 95, 95), (190, 190, 190), (242, 242, 242)
HEAD = FontFace(emphasis="B", fill_color=PALE)


class _Paper(FPDF):
    """Pages with the notice and the page number on each."""

    def __init__(self, title: str) -> None:
        super().__init__(format="A4")
        self.set_margin(MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=MARGIN_MM + 5)
        for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            self.add_font(FONT, style, font_file(name))
        self.set_title(title)
        self.set_creator("Sentinode")
        self.set_lang("en")

    def footer(self) -> None:
        self.set_y(-MARGIN_MM)
        self.set_font(FONT, size=8)
        self.set_text_color(*GREY)
        self.cell(0, 6, NOTICE)
        self.set_x(MARGIN_MM)
        self.cell(0, 6, f"{self.page_no()} / {{nb}}", align="R")


def render_pdf(
    content: ReportContent, whole: Snapshot | None, pictures: dict[str, Snapshot]
) -> bytes:
    """The PDF; `pictures` by flag id, and of the whole slide."""
    paper = _Paper(f"{content.slide.name} – Sentinode")
    paper.add_page()
    _title(paper, content)
    _rows(paper, wording.slide_rows(content))
    if whole is not None:
        _pictures(paper, whole)
    _reading(paper, content)
    _model(paper, content)
    _flags(paper, content, pictures)
    return bytes(paper.output())


def _title(paper: FPDF, content: ReportContent) -> None:
    paper.set_font(FONT, "B", 15)
    paper.multi_cell(0, 8, content.slide.name, new_x="LMARGIN", new_y="NEXT")
    paper.set_font(FONT, "B", 9.5)
    paper.cell(0, 6, NOTICE, new_x="LMARGIN", new_y="NEXT")
    paper.ln(2)


def _heading(paper: FPDF, text: str) -> None:
    if paper.will_page_break(24):
        paper.add_page()
    paper.ln(GAP_MM)
    paper.set_text_color(0)
    paper.set_font(FONT, "B", 11.5)
    paper.cell(0, 7, text, new_x="LMARGIN", new_y="NEXT")


def _note(paper: FPDF, text: str) -> None:
    paper.set_text_color(*GREY)
    paper.set_font(FONT, size=9)
    paper.multi_cell(0, 5, text, new_x="LMARGIN", new_y="NEXT")
    paper.set_text_color(0)


def _rows(paper: FPDF, rows: Sequence[wording.Row]) -> None:
    paper.set_text_color(0)
    paper.set_font(FONT, size=9)
    with paper.table(
        col_widths=(26, 100),
        borders_layout=TableBordersLayout.NONE,
        first_row_as_headings=False,
        line_height=5,
        text_align="LEFT",
    ) as table:
        for row in rows:
            table.row(row)


def _table(
    paper: FPDF, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]
) -> None:
    paper.set_font(FONT, size=8)
    paper.set_draw_color(*LINE)
    with paper.table(
        col_widths=tuple(widths),
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        headings_style=HEAD,
        line_height=4.6,
        padding=0.8,
        text_align="LEFT",
    ) as table:
        table.row(head)
        for row in rows:
            table.row(row)


def _pictures(paper: FPDF, snapshot: Snapshot) -> None:
    """The tissue, and beside it the same with the heat map."""
    shown = [picture for picture in snapshot if picture is not None]
    with Image.open(BytesIO(snapshot.plain)) as image:
        scale = PICTURE_MM / max(image.size)
        width_mm, height_mm = image.width * scale, image.height * scale
    if paper.will_page_break(height_mm + GAP_MM):
        paper.add_page()
    top = paper.get_y() + 2
    paper.set_draw_color(*LINE)
    for n, picture in enumerate(shown):
        x = MARGIN_MM + n * (PICTURE_MM + GAP_MM)
        paper.image(BytesIO(picture), x, top, width_mm, height_mm)
        paper.rect(x, top, width_mm, height_mm)
    paper.set_y(top + height_mm + 2)


def _reading(paper: FPDF, content: ReportContent) -> None:
    _heading(paper, "Reading")
    _rows(paper, wording.reading_rows(content))
    if not content.verdicts:
        _note(paper, "No verdict was given yet.")
        return
    head = ("Verdict", "Reader", "Given", "Seen", "Comment")
    _table(paper, head, [wording.verdict_row(v) for v in content.verdicts], (30, 24, 28, 46, 52))


def _model(paper: FPDF, content: ReportContent) -> None:
    _heading(paper, "Heat map")
    if content.locked:
        _note(paper, wording.LOCKED)
        return
    if content.analysis is None:
        _note(paper, wording.NO_ANALYSIS)
        return
    _rows(paper, wording.model_rows(content))
    for warning in content.warnings:
        _note(paper, f"Warning: {warning['text']}")
    if content.hotspots:
        head = ("Hot spot", "Highest", "Area", "Longest diameter", "Readers")
        rows = [wording.hotspot_row(entry) for entry in content.hotspots]
        _table(paper, head, rows, (18, 18, 26, 54, 64))
        _note(paper, wording.MEASURED)


def _flags(paper: FPDF, content: ReportContent, pictures: dict[str, Snapshot]) -> None:
    _heading(paper, f"Flags ({content.flag_count})")
    if not content.flags:
        _note(paper, "No flag was set.")
        return
    head = ("No.", "Label", "Size", "State", "Set by")
    _table(paper, head, [wording.flag_row(e.flag) for e in content.flags], (12, 46, 30, 26, 66))
    for text in wording.left_out(content):
        _note(paper, text)
    for entry in content.flags:
        if entry.flag["id"] in pictures:
            _flag(paper, entry, pictures[entry.flag["id"]])


def _flag(paper: FPDF, entry: FlagEntry, snapshot: Snapshot) -> None:
    if paper.will_page_break(PICTURE_MM + 30):
        paper.add_page()
    paper.ln(GAP_MM)
    paper.set_font(FONT, "B", 9.5)
    paper.cell(0, 6, wording.flag_title(entry.flag), new_x="LMARGIN", new_y="NEXT")
    _pictures(paper, snapshot)
    for line in wording.flag_lines(entry):
        _note(paper, line)
