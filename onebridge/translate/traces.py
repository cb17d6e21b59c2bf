"""What an event that is no message shows, changes and refers to, beside being reported."""

from collections.abc import Set

from onebridge.keys import Identity, IdKind
from onebridge.qq.events import Audit, ChannelInfo, JoinRequest, ManagementEvent
from onebridge.store.records import AuditResult, ConversationSighting, GuildSighting, Sighting
from onebridge.translate.notices import FORMS, Shows
from onebridge.translate.scenes import SCENES

_TEXT_CHANNEL = 0

_GUILD_ENDED = {"GUILD_CREATE": False, "GUILD_DELETE": True}


def references_of(event: ManagementEvent) -> tuple[str, ...]:
    """What names the message that an event is about: its platform id, or an audit of it."""
    named = (event.msg_id, event.detail.audit_id if isinstance(event.detail, Audit) else "")
    return tuple(filter(None, named))


def audit_of(event: ManagementEvent) -> AuditResult | None:
    """What was decided of a message that waits, if the event tells."""
    if not isinstance(event.detail, Audit) or not event.detail.audit_id:
        return None
    if event.event_type == "MESSAGE_AUDIT_REJECT":
        return AuditResult(event.detail.audit_id, "")
    return AuditResult(event.detail.audit_id, event.msg_id) if event.msg_id else None


def guild_of(event: ManagementEvent) -> GuildSighting | None:
    """The guild that the bot came to or left."""
    ended = _GUILD_ENDED.get(event.event_type)
    return None if ended is None else GuildSighting(event.guild_id, ended)


def sightings_of(
    event: ManagementEvent, own_openids: Set[str]
) -> tuple[tuple[Sighting, ...], ConversationSighting | None]:
    """Whom and what an event shows to be there, to have come, or to be gone."""
    form, place = FORMS.get(event.event_type), event.conversation
    if isinstance(event.detail, JoinRequest) and not event.detail.is_decided:
        return _asker(event), ConversationSighting(place, event.timestamp) if place else None
    if form is None or place is None or form.shows is Shows.NOTHING:
        return (), None
    if isinstance(event.detail, ChannelInfo):
        if event.detail.kind != _TEXT_CHANNEL:
            return (), None
        name = event.detail.name
        ended = form.shows is Shows.ENDED
        return (), ConversationSighting(place, event.timestamp, name, event.guild_id, ended=ended)
    chat = ConversationSighting(
        place,
        event.timestamp,
        parent=event.guild_id,
        peer_openid=event.person if SCENES[place.scene].chat is None else "",
        ended=form.shows is Shows.ENDED,
    )
    who = event.person or event.operator
    if not who or who in own_openids or form.shows is Shows.ENDED:
        return (), chat
    person = Sighting(
        place,
        Identity(event.account, IdKind.USER, who),
        event.timestamp,
        name=event.name,
        joined_at=event.timestamp if form.shows is Shows.JOINED else 0.0,
        spoke=False,
        left=form.shows is Shows.LEFT,
    )
    return (person,), chat


def _asker(event: ManagementEvent) -> tuple[Sighting, ...]:
    """Whoever asks to join is no member yet, but has a name: the platform tells it only here."""
    assert event.conversation is not None, "people ask to join a group"
    asker = Identity(event.account, IdKind.USER, event.person)
    return (
        Sighting(
            event.conversation, asker, event.timestamp, name=event.name, spoke=False, outside=True
        ),
    )
