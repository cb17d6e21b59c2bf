"""``onebridge explain``: what would be sent for a message, with nothing sent."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
import orjson

from onebridge.cli.settings import load, refuse
from onebridge.cli.terminal import printable
from onebridge.config import DeliverySettings
from onebridge.errors import ActionError
from onebridge.keys import Scene

if TYPE_CHECKING:
    from onebridge.translate.explain import Explanation

SCENES = {
    "group": Scene.GROUP,
    "private": Scene.C2C,
    "channel": Scene.CHANNEL,
    "dm": Scene.DM,
}


@click.command()
@click.argument("message")
@click.option("--scene", type=click.Choice(tuple(SCENES)), default="group", show_default=True)
@click.option(
    "--credits",
    "left",
    type=click.IntRange(min=0),
    help="Replies that are left; the most there can be, if not given.",
)
@click.option("--no-markdown", is_flag=True, help="As if the bot might not send markdown.")
@click.option("--no-keyboard", is_flag=True, help="As if the bot might not send keyboards.")
@click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="A configuration, for its delivery settings.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def explain(
    message: str,
    scene: str,
    left: int | None,
    path: Path | None,
    *,
    no_markdown: bool,
    no_keyboard: bool,
    as_json: bool,
) -> None:
    """Show what would be sent to QQ for MESSAGE, a string with CQ codes or a JSON message.

    Nothing is sent and nothing is looked up: people and messages that it names are taken as known,
    and `[CQ:at,qq=ASKER]` is whoever is being answered.

    Exit codes: 0 if it could be sent, 1 if it could not, 2 if the configuration cannot be used.
    """
    from onebridge.delivery.credits import REPLY_LIMITS
    from onebridge.onebot.messages import parse_message
    from onebridge.translate import explain as plans

    settings = DeliverySettings() if path is None else load(path).delivery
    place = SCENES[scene]
    most = REPLY_LIMITS[place].replies or 1_000_000
    try:
        explained = plans.explain(
            parse_message(_read(message)),
            place,
            left=most if left is None else left,
            settings=settings,
            markdown=not no_markdown,
            keyboard=not no_keyboard,
        )
    except ActionError as error:
        if as_json:
            click.echo(orjson.dumps({"retcode": error.retcode, "wording": error.wording}))
        refuse(f"{error.wording} (retcode {int(error.retcode)})")
    if as_json:
        click.echo(msgspec.json.encode(explained))
    else:
        _print(explained)


def _read(message: str) -> object:
    """JSON if it is an array or a segment, else a string."""
    if message.lstrip()[:1] in ("[", "{") and not message.lstrip().startswith("[CQ:"):
        try:
            return orjson.loads(message)
        except orjson.JSONDecodeError:
            return message
    return message


def _print(explained: "Explanation") -> None:
    for number, step in enumerate(explained.steps, 1):
        how = ""
        if step.call == "post":
            how = f"  (reply {step.reply})" if step.reply else "  (speaks first)"
        head = f"{number}. {step.call} {step.kind}{how}"
        click.echo(click.style(head, bold=True))
        if step.quote:
            click.echo(f"   > quotes {printable(step.quote)}")
        for line in step.content.splitlines():
            click.echo(f"   {printable(line)}")
        if step.keyboard:
            click.echo("   [buttons]")
    words = f"{explained.scene}: uses {explained.credits} " + (
        "reply" if explained.credits == 1 else "replies"
    )
    if explained.missing:
        words += f"; {explained.missing} more would be sent without one (delivery.proactive)"
    click.echo(words)
    for note in explained.notes:
        click.echo(f"{click.style('!', fg='yellow')} {printable(note)}")
