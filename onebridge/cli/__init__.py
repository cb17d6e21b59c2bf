"""The command line: parse, call, print; no logic (design.md section 9).

A module for each group of commands. What only one command needs is imported by that command.
"""

import click

from onebridge.cli.checks import check, print_schema
from onebridge.cli.database import store
from onebridge.cli.explain import explain
from onebridge.cli.identities import ids
from onebridge.cli.process import demo, run, sandbox
from onebridge.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="onebridge")
def main() -> None:
    """Run any OneBot v11 bot on the official QQ bot platform.

    让任何 OneBot v11 机器人运行在 QQ 官方机器人平台上。

    Start with `onebridge demo`: it needs no account and no network.

    Exit codes, unless a command says more: 0 if it was done, 1 if it was refused or found something
    wrong, 2 if the command, the configuration or the database cannot be used.
    """


for _command in (run, demo, sandbox, check, explain, print_schema, ids, store):
    main.add_command(_command)
