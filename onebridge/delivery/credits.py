"""Rules of passive replies: what opens a credit, for how long, how often, and which comes first.

Pure. Whoever was spoken to may answer: by the id of a message, or of some events, within a window
and up to a count (qq-platform.md section 6.1). The store keeps the credits; the outbox takes them.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from onebridge.config import ReplyLimit
from onebridge.keys import Conversation, Scene
from onebridge.qq.events import Event, MessageEvent
from onebridge.store.records import Credit, Grant, ReplyBy

MARGIN = 10.0
"""Seconds that a window must still be open: a reply on its way must not arrive too late
(design.md section 4)."""


class Limit(NamedTuple):
    """Seconds, and replies within them; 0 replies means that no cap is documented."""

    window: float
    replies: int


REPLY_LIMITS: Mapping[Scene, Limit] = {
    Scene.GROUP: Limit(300.0, 5),
    # The newest documents and clients say 4; older ones said 5 (qq-platform.md section 11 row 8).
    Scene.C2C: Limit(3600.0, 4),
    Scene.CHANNEL: Limit(300.0, 0),
    Scene.DM: Limit(300.0, 0),
}
"""For messages and events alike: no window of their own is documented for events
(qq-platform.md section 6.1)."""

REPLYABLE_EVENTS: Mapping[Scene, frozenset[str]] = {
    Scene.GROUP: frozenset(
        # GROUP_MEMBER_ADD is not in the documents' list, but works (section 11 row 14).
        {"INTERACTION_CREATE", "GROUP_ADD_ROBOT", "GROUP_MSG_RECEIVE", "GROUP_MEMBER_ADD"}
    ),
    Scene.C2C: frozenset({"INTERACTION_CREATE", "C2C_MSG_RECEIVE", "FRIEND_ADD"}),
    Scene.CHANNEL: frozenset(
        {
            "INTERACTION_CREATE",
            "GUILD_MEMBER_ADD",
            "GUILD_MEMBER_UPDATE",
            "GUILD_MEMBER_REMOVE",
            "MESSAGE_REACTION_ADD",
            "MESSAGE_REACTION_REMOVE",
            "FORUM_THREAD_CREATE",
            "FORUM_THREAD_UPDATE",
            "FORUM_THREAD_DELETE",
            "FORUM_POST_CREATE",
            "FORUM_POST_DELETE",
            "FORUM_REPLY_CREATE",
            "FORUM_REPLY_DELETE",
        }
    ),
    Scene.DM: frozenset(),
}
"""Event types whose ``event_id`` can be replied to (qq-platform.md section 6.1)."""


def reply_limit(scene: Scene, overrides: Mapping[str, ReplyLimit]) -> Limit:
    """What is allowed in a scene, or what ``delivery.reply_limits`` says instead."""
    override = overrides.get(scene.value)
    if override is None:
        return REPLY_LIMITS[scene]
    return Limit(override.window, override.count)


def grant_for(event: Event, overrides: Mapping[str, ReplyLimit]) -> Grant | None:
    """The right to reply that an event opens; None if it opens none."""
    if not isinstance(event, MessageEvent):
        return None
    if not event.msg_id:
        return event_grant(
            event.conversation,
            event.event_type,
            event.event_id,
            event.author.openid,
            event.timestamp,
            overrides,
        )
    return _grant(
        event.conversation,
        ReplyBy.MSG_ID,
        event.msg_id,
        event.author.openid,
        event.timestamp,
        overrides,
    )


def event_grant(
    conversation: Conversation,
    event_type: str,
    event_id: str,
    author_openid: str,
    time: float,
    overrides: Mapping[str, ReplyLimit],
) -> Grant | None:
    """The right to reply to an event that is no message; None if its type cannot be replied to.

    Args:
        conversation: Where a reply would go.
        event_type: The frame's ``t``.
        event_id: Outer ``id`` of the frame; empty if it had none.
        author_openid: Who caused it, if the event says.
        time: By the platform's clock.
        overrides: ``delivery.reply_limits``.
    """
    if not event_id or event_type not in REPLYABLE_EVENTS[conversation.scene]:
        return None
    return _grant(conversation, ReplyBy.EVENT_ID, event_id, author_openid, time, overrides)


def _grant(
    conversation: Conversation,
    by: ReplyBy,
    reply_id: str,
    author_openid: str,
    time: float,
    overrides: Mapping[str, ReplyLimit],
) -> Grant:
    limit = reply_limit(conversation.scene, overrides)
    return Grant(
        conversation=conversation,
        reply_id=reply_id,
        by=by,
        author_openid=author_openid,
        opens_at=time,
        closes_at=time + limit.window,
        quota=limit.replies,
    )


def order_candidates(
    credits: Sequence[Credit],
    *,
    replied_msg_id: str = "",
    quick_msg_id: str = "",
    named_authors: Sequence[str] = (),
    now: float,
) -> list[Credit]:
    """Usable credits of a conversation, best first (design.md section 4).

    QQ shows an automatic @ of whoever wrote the message that a group reply names, so the message
    that is being answered comes first: the one of the ``reply`` segment; else the event of a quick
    operation; else the newest message of somebody who is named; else the newest message. The rest
    follows, newest first, events last.

    Args:
        credits: Open ones; those that have less than ``MARGIN`` or no reply left are skipped.
        replied_msg_id: Platform id of the message that the ``reply`` segment names.
        quick_msg_id: Platform id of a quick operation's event.
        named_authors: Whom the action and then its ``at`` segments name, as openids.
        now: Unix seconds by the platform's clock, which windows count by.
    """
    usable = [credit for credit in credits if credit.left > 0 and credit.closes_at - now >= MARGIN]
    usable.sort(key=lambda credit: (credit.by is ReplyBy.EVENT_ID, -credit.opens_at))
    answered = _answered(usable, replied_msg_id, quick_msg_id, named_authors)
    if answered is not None:
        usable.remove(answered)
        usable.insert(0, answered)
    return usable


def _answered(
    newest_first: Sequence[Credit],
    replied_msg_id: str,
    quick_msg_id: str,
    named_authors: Sequence[str],
) -> Credit | None:
    for reply_id in (replied_msg_id, quick_msg_id):
        if reply_id:
            for credit in newest_first:
                if credit.reply_id == reply_id:
                    return credit
    for author in named_authors:
        for credit in newest_first:
            if credit.author_openid == author and (
                credit.by is ReplyBy.MSG_ID or credit.message_id
            ):
                return credit
    return None


def choose(credits: Sequence[Credit], calls: int) -> list[str]:
    """A reply id for each call, the first credit used up before the next; fewer if they fall short.

    Args:
        credits: Best first, from ``order_candidates``.
        calls: How many replies are needed.
    """
    wanted: list[str] = []
    for credit in credits:
        if len(wanted) == calls:
            break
        wanted += [credit.reply_id] * min(credit.left, calls - len(wanted))
    return wanted
