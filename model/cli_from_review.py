"""`python -m model from-review`: what readers settled becomes hard rows of a manifest."""

import json
from pathlib import Path
from typing import Any

import click

from model.cli_slides import FOLDER, said

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
OPTIONS = (
    click.option("--reviews", "reviews_file", required=True, type=FILE,
                 help="What `python -m viewer reviews` or /api/v1/reviews.json gave."),
    click.option("--slides", "folder", required=True, type=FOLDER,
                 help="The slides, or a study with slides/ (and perhaps patients.csv)."),
    click.option("--split", "split_file", required=True, type=FILE,
                 help="Only its training slides are learnt from."),
    click.option("--out", required=True, type=NEW_FILE, help="The next manifest."),
    click.option("--manifest", "manifest_file", type=FILE,
                 help="Rows to keep; the new ones are cut as these were."),
    click.option("--tumour-label", "tumour_labels", multiple=True,
                 help="A flag's label that means tumour; may be repeated."
                 "  [default: Tumor, Tumour, Metastasis, Metastases]"),
    click.option("--normal-label", "normal_labels", multiple=True,
                 help="A label that means no tumour; may be repeated."
                 "  [default: Negative, Normal]"),
    click.option("--new-split", "new_split", type=NEW_FILE,
                 help="Let slides that are in no part join the training part, and write the split"
                 " with them here; without it they are left out."),
    click.option("--max-per-region", default=200, show_default=True, type=click.IntRange(1),
                 help="Patches of a flag or hot spot at most, drawn by --seed."),
    click.option("--seed", default=0, show_default=True, type=click.IntRange(0),
                 help="Of every random choice."),
    click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON."),
)  # fmt: skip


@click.command("from-review")
def command(
    reviews_file: Path,
    folder: Path,
    split_file: Path,
    out: Path,
    manifest_file: Path | None,
    tumour_labels: tuple[str, ...],
    normal_labels: tuple[str, ...],
    new_split: Path | None,
    max_per_region: int,
    seed: int,
    as_json: bool,
) -> None:
    """Learn from readers: settled flags and hot spots become hard patches of the next manifest.

    Agreed is tumour, disagreed is not. Validation and test slides are never looked at, nor what is
    still open; all that was left out is counted.
    """
    from model.extraction.manifest import read_manifest
    from model.extraction.splits import read_split, write_split
    from model.training.from_review import learn, write_round
    from model.training.review_decisions import NORMAL_LABELS, TUMOUR_LABELS, Labels
    from model.training.review_rows import ReviewSettings
    from model.training.reviews import read_reviews

    labels = Labels(tumour_labels or TUMOUR_LABELS, normal_labels or NORMAL_LABELS)
    both = {each.casefold() for each in labels.tumour} & {each.casefold() for each in labels.normal}
    if both:
        raise click.UsageError(f"'{min(both)}' cannot mean tumour and normal tissue.")
    reviews, digest = read_reviews(reviews_file)
    manifest = read_manifest(manifest_file) if manifest_file else None
    settings = ReviewSettings(max_per_region, seed, labels)
    done = learn(reviews, folder, read_split(split_file), manifest, settings, new_split is not None)
    source = {
        "exported_at": reviews.exported_at,
        "reviews_sha256": digest,
        "max_per_region": max_per_region,
        "seed": seed,
        "tumour_labels": list(labels.tumour),
        "normal_labels": list(labels.normal),
    }
    record = write_round(done, manifest, folder, source, out)
    if new_split is not None:
        write_split(new_split, done.split)
    if as_json:
        click.echo(json.dumps(record | {"problems": said(done.problems)}))
        return
    click.echo(_summary(record))
    for name, error in done.problems.items():
        click.echo(f"  {name}: {error}")


def _summary(record: dict[str, Any]) -> str:
    from model.training.review_decisions import LEFT_OUT

    lines = [
        f"{record['added']} hard patches added ({record['added_tumour']} tumour,"
        f" {record['added_normal']} not), {record['marked']} marked, from {record['regions']}"
        f" regions on {record['slides']} training slides."
    ]
    for kind, counts in record["left_out"].items():
        name = {"hotspots": "hot spots"}.get(kind, kind)
        lines += [
            f"Left out: {count} {name} {LEFT_OUT[kind][reason]}" for reason, count in counts.items()
        ]
    return "\n".join(lines)


for _option in reversed(OPTIONS):
    command = _option(command)
