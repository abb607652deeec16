"""Runs one command: from an argument list to an exit code.

0 fine, 1 findings, 2 could not check or bad input, 130 stopped by Ctrl-C. Every error is one line on standard error,
never a traceback.
"""

import os
from collections.abc import Sequence
from importlib import import_module
from itertools import takewhile
from typing import TYPE_CHECKING

import click

from phasegate.cli.commands import COMMANDS
from phasegate.cli.kit.app import FAILED, STOPPED, App
from phasegate.cli.kit.options import EXIT_CODES, GLOBAL, VALUED
from phasegate.cli.kit.output import UNWRITTEN, emit, one_line, talk, unwritten
from phasegate.errors import BadInput, PhasegateError, legible

if TYPE_CHECKING:
    from phasegate.ports import Clock


class Lazy(click.Group):
    """Lists the commands in the order users meet them, and imports lazily.

    A command is imported when it is called.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's own signature
        """Return the names in the order of ``COMMANDS``."""
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command of a name, or return None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"phasegate.cli.commands.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of the help page; no command is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str()) for name, command in self.commands.items()])


@click.group(
    cls=Lazy,
    invoke_without_command=True,
    epilog=f"Example:\n\n\b\n  phasegate status\n  phasegate why 2026-02-03.overnight\n\n{EXIT_CODES}",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--plan", metavar="FILE", help="The plan. Default: PHASEGATE_PLAN, then plan.toml.")
@click.option("--state", metavar="DIR", help="The directory of all state. Default: PHASEGATE_STATE, then .phasegate.")
@click.option("--version", is_flag=True, help="Print the version and exit.")
@click.pass_context
def phasegate(ctx: click.Context, plan: str | None, state: str | None, version: bool) -> int:
    """Run and inspect the hand-offs between the phases of a data pipeline.

    Each fires once per change, none is lost, and each records why it fired.
    """
    app = ctx.find_object(App)
    assert app is not None
    app.plan_file, app.state = plan, state
    if version:
        from phasegate import __version__

        emit([f"phasegate {__version__}"])
        ctx.exit(0)
    if ctx.invoked_subcommand is None:
        emit([ctx.get_help()])
    return 0


for _name, (_, _line) in COMMANDS.items():
    phasegate.add_command(click.Command(_name, short_help=_line))  # stands in for it until it is called


def run(arguments: Sequence[str], *, clock: "Clock | None" = None) -> int:
    """Run one command and return its exit code.

    ``clock`` is for tests.
    """
    try:
        check_text(arguments)
        code = phasegate.main(list(arguments), prog_name="phasegate", standalone_mode=False, obj=App(clock, arguments))
    except (click.Abort, KeyboardInterrupt):
        talk("stopped")
        return STOPPED
    except click.ClickException as e:
        talk(_usage(e))
    except PhasegateError as e:
        talk(str(e))
    except OSError as e:
        talk(unwritten(e) if e.filename is None and e.errno in UNWRITTEN else _unexpected(e))
    except Exception as e:  # noqa: BLE001  users get one line, which names the place for a report
        talk(_unexpected(e))
    else:
        return int(code or 0)
    return FAILED


def check_text(arguments: Sequence[str]) -> None:
    """Refuse an argument that is no text, and names no file.

    Arguments of another command, after ``--``, are passed on as they are. Raises BadInput.
    """
    for argument in takewhile(lambda one: one != "--", arguments):
        if legible(argument) != argument and not os.path.lexists(argument):
            raise BadInput(f"the argument {legible(argument)!r} is not UTF-8, and there is no such file; respell it")


def _usage(error: click.ClickException) -> str:
    """Return what is wrong with the arguments, and the help to read."""
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    path = "phasegate" if ctx is None else ctx.command_path
    command = path.partition(" ")[2]
    if isinstance(error, click.NoSuchOption) and error.option_name in GLOBAL:
        value = " …" if error.option_name in VALUED else ""
        return f"{error.option_name} goes before the command: phasegate {error.option_name}{value} {command}"
    text = one_line(error.format_message()).rstrip(".").replace(". Did you mean", "; did you mean")
    if isinstance(error, click.NoSuchOption):
        near = " or ".join(error.possibilities or ())
        text = f"no such option {error.option_name}" + (f"; did you mean {near}?" if near else "")
    text = text.replace("is not a valid integer range", "is not a whole number")
    where = f"{command}: " if command else ""
    return f"{where}{text[:1].lower()}{text[1:]}" + ("" if text.endswith("?") else f"; see {path} --help")


def _unexpected(error: Exception) -> str:
    import traceback
    from pathlib import Path

    from phasegate.base.disk import FULL, is_full

    if is_full(str(error)):
        return f"{error}: {FULL}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return f"unexpected {type(error).__name__} at {where}: {error}; this is a bug in Phasegate, please report it"
