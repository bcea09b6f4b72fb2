"""The commands of `python -m model`. Each is imported only when it is asked for."""

from importlib import import_module

import click

from model.prediction.errors import PredictionError

# Modules that define the click command `command`.
COMMANDS = {
    "adopt": "model.cli_adopt",
    "calibrate": "model.cli_calibrate",
    "colours": "model.cli_colours",
    "compose": "model.cli_compose",
    "crossvalidate": "model.cli_crossvalidate",
    "distill": "model.cli_distill",
    "evaluate": "model.cli_evaluate",
    "from-review": "model.cli_from_review",
    "mine": "model.cli_mine",
    "patches": "model.cli_patches",
    "phantom": "model.cli_phantom",
    "negatives": "model.cli_negatives",
    "predict": "model.cli_predict",
    "report": "model.cli_report",
    "robustness": "model.cli_robustness",
    "study": "model.cli_study",
    "tissue": "model.cli_tissue",
    "train": "model.cli_train",
}


class LazyGroup(click.Group):
    """Finds commands in COMMANDS and shows errors the user can act on without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now, or None."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name]).command
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a PredictionError ends it with its message and exit code 1."""
        try:
            return super().invoke(ctx)
        except PredictionError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=LazyGroup)
def main() -> None:
    """Lymph-node model of Sentinode. Research use only. Not for diagnostic procedures."""
