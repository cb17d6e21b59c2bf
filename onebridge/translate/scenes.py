"""What a scene is in OneBot: the one table that everything on the way in reads."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from onebridge.keys import IdKind, Scene
from onebridge.store.records import EventKind

_OPENID = re.compile(r"[0-9A-Fa-f]{32}")
_GUILD_USER = re.compile(r"[0-9]{1,20}")


class SceneShape(NamedTuple):
    """One row of the table.

    Attributes:
        message_type: OneBot's ``message_type``.
        sub_type: OneBot's ``sub_type``.
        chat: Kind of the identity whose number is ``group_id``; None in private chats.
        event_kind: Class by which pending events expire: how long they can be answered.
        escaped: Whether the platform escapes ``&``, ``<`` and ``>`` in the text
            (qq-platform.md section 10.1).
        user_id_form: What a person's id looks like. In groups people can type a tag themselves, so
            a mention that the event does not list must at least look like one (section 9).
    """

    message_type: str
    sub_type: str
    chat: IdKind | None
    event_kind: EventKind
    escaped: bool
    user_id_form: re.Pattern[str]


SCENES: Mapping[Scene, SceneShape] = {
    Scene.GROUP: SceneShape("group", "normal", IdKind.GROUP, EventKind.GROUP, False, _OPENID),
    Scene.C2C: SceneShape("private", "friend", None, EventKind.C2C, False, _OPENID),
    Scene.CHANNEL: SceneShape(
        "group", "normal", IdKind.CHANNEL, EventKind.CHANNEL, True, _GUILD_USER
    ),
    # No friend of the bot, and answerable for as long as a channel message.
    Scene.DM: SceneShape("private", "other", None, EventKind.CHANNEL, True, _GUILD_USER),
}
