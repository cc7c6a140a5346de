"""The commands together: their help, and how errors are reported."""

import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ckn.commands.console import CLOSED, reported
from ckn.commands.report import report
from ckn.commands.show import show
from ckn.commands.train import train
from ckn.commands.use import encode, evaluate, predict
from ckn.interrupts import CODE


class Commands(TyperGroup):
    """A group whose commands all report errors and warnings in the same way."""

    def make_context(self, *args: Any, **keywords: Any) -> Any:
        """Read the command line; Ctrl-C and closed pipes have the same effect as during a command."""
        try:
            return super().make_context(*args, **keywords)
        except KeyboardInterrupt:
            sys.exit(CODE)
        except BrokenPipeError:
            sys.exit(CLOSED)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        with reported(traceback=bool(ctx.params.get("traceback"))):
            return super().invoke(ctx)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kerneltools {version('kerneltools')}")
        raise typer.Exit


def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show where in the code an error occurs.")] = False,
) -> None:
    """Convolutional kernel networks: train a classifier of images, sequences, graphs or series, and
    use it.

    \b
    Examples:
      ckn train digits --out demo
      ckn show demo/model.safetensors
      ckn report demo/model.safetensors digits
      ckn train photos/ --test more-photos/ --whiten --out photos-model
      ckn train peaks.fa --labels labels.csv --out peaks-model
      ckn predict photos-model/model.safetensors new/*.jpg --out new.csv
    """


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.callback()(_main)
for command in (train, evaluate, predict, encode, show, report):
    app.command()(command)
