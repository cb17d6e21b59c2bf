"""What is done about each refusal of a send: one table for the outbox and for people.

``qq/codes.py`` says what a code means; this says what follows from it. The contract tests make the
sandbox refuse each way.
"""

from collections.abc import Mapping
from enum import StrEnum

from onebridge.qq.codes import Act


class Reaction(StrEnum):
    """What follows from a refusal."""

    REPEAT = "repeat"
    """The same call under the same number, after a pause, a few times."""
    REPLAN = "replan"
    """The message in another form, once for each kind of refusal."""
    RENEW = "renew"
    """Another reply number, or another message to reply to."""
    UPLOAD = "upload"
    """The message's files are uploaded again, once: the platform has forgotten them."""
    POLICY = "policy"
    """``delivery.proactive`` decides, as if there had been nothing to reply to."""
    ACCEPTED = "accepted"
    """It is no refusal."""
    GIVE_UP = "give_up"
    """The action fails and says why."""


REACTIONS: Mapping[Act, Reaction] = {
    Act.REFRESH_TOKEN: Reaction.REPEAT,
    Act.RETRY: Reaction.REPEAT,
    Act.RATE_LIMITED: Reaction.REPEAT,
    Act.MEDIA: Reaction.REPEAT,
    Act.NOT_ONLINE: Reaction.REPEAT,
    Act.URL_REFUSED: Reaction.REPLAN,
    Act.MARKDOWN_REFUSED: Reaction.REPLAN,
    Act.KEYBOARD_REFUSED: Reaction.REPLAN,
    Act.CARD_REFUSED: Reaction.REPLAN,
    Act.MENTION_ALL_REFUSED: Reaction.REPLAN,
    Act.TOO_LONG: Reaction.REPLAN,
    Act.DUPLICATE: Reaction.RENEW,
    Act.CREDIT_SPENT: Reaction.RENEW,
    Act.PROACTIVE_REFUSED: Reaction.POLICY,
    Act.AUDIT_PENDING: Reaction.ACCEPTED,
    Act.MEDIA_EXPIRED: Reaction.UPLOAD,
    Act.MUTED: Reaction.GIVE_UP,
    Act.NO_PERMISSION: Reaction.GIVE_UP,
    Act.NOT_IN_GROUP: Reaction.GIVE_UP,
    Act.CONTENT_UNSAFE: Reaction.GIVE_UP,
    Act.CONFIG: Reaction.GIVE_UP,
    Act.GONE: Reaction.GIVE_UP,
    Act.PERMANENT: Reaction.GIVE_UP,
}
"""A code that may pass is repeated only if its row in ``qq/codes.py`` says so as well: a file of
the wrong format does not get better."""
