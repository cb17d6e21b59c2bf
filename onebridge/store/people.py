"""Conversations and members that were seen.

A message shows both again and again. ``last_seen`` and ``last_spoke`` are therefore exact to a
minute only: a sighting that tells nothing else is written down at most that often, so that traffic
in a steady state writes nothing here.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene
from onebridge.store.database import Database, Seen, SeenConversation
from onebridge.store.digests import digest
from onebridge.store.identity import claim
from onebridge.store.records import ConversationRecord, ConversationSighting, MemberRecord, Sighting
from onebridge.store.rows import insert_rows, select_in

RESOLUTION = 60.0
"""Seconds to which it is known when somebody was last seen."""

_OUTSIDE = 2
"""In place of 1 in ``gone``: it does not tell that a member has left."""

_CONVERSATION = (
    "app_id, scene, openid, name, parent, peer, first_seen, last_seen,"
    " (SELECT count(*) FROM members WHERE members.conversation = conversations.id AND NOT gone)"
    " FROM conversations JOIN accounts ON accounts.id = account"
    " WHERE first_seen IS NOT NULL AND NOT ended"
)
_MEMBER = (
    "app_id, kind, openid, number, name, role, is_bot, joined_at, first_seen, last_spoke"
    " FROM members JOIN identities ON identities.id = person"
    " JOIN accounts ON accounts.id = account"
)


def record_sightings(
    database: Database,
    sightings: Sequence[Sighting],
    conversations: Iterable[ConversationSighting] = (),
) -> None:
    """Remember people and conversations; whoever was seen somewhere shows that the place exists."""
    told = list(conversations)
    explicit = dict.fromkeys(one.conversation for one in told)
    implied = [
        ConversationSighting(one.conversation, one.time)
        for one in sightings
        if one.conversation not in explicit and not one.left and not one.outside
    ]
    ids = database.conversation_ids([*explicit, *(one.conversation for one in sightings)])
    _touch(database, implied + told, ids)
    _meet(database, sightings, ids)


def find_conversation(
    connection: sqlite3.Connection, conversation: Conversation
) -> ConversationRecord | None:
    """A conversation that was seen and has not ended."""
    row = connection.execute(
        f"SELECT {_CONVERSATION} AND digest = ?",
        (digest(*conversation),),
    ).fetchone()
    return _conversation(row) if row else None


def find_dm(connection: sqlite3.Connection, account: AppId, peer: str) -> Conversation | None:
    """The DM session with a guild user; the newest if there are several."""
    row = connection.execute(
        "SELECT conversations.openid FROM conversations JOIN accounts ON accounts.id = account"
        " WHERE scene = 'dm' AND peer = ? AND app_id = ?"
        " AND first_seen IS NOT NULL AND NOT ended ORDER BY last_seen DESC, conversations.id DESC",
        (peer, account),
    ).fetchone()
    return Conversation(account, Scene.DM, row[0]) if row else None


def conversations_of(
    connection: sqlite3.Connection, account: AppId, scenes: Sequence[Scene]
) -> list[ConversationRecord]:
    """Conversations of some scenes that have not ended, by first sight."""
    rows: list[tuple[Any, ...]] = []
    for scene in dict.fromkeys(scenes):
        rows += connection.execute(
            f"SELECT {_CONVERSATION} AND app_id = ? AND scene = ?"
            " ORDER BY first_seen, conversations.id",
            (account, scene.value),
        ).fetchall()
    return sorted(map(_conversation, rows), key=lambda record: record.first_seen)


def members_of(connection: sqlite3.Connection, conversation: Conversation) -> list[MemberRecord]:
    """People seen in a conversation who are not known to have left, by first sight."""
    rows = connection.execute(
        f"SELECT {_MEMBER} WHERE conversation ="  # noqa: S608 - ours
        " (SELECT id FROM conversations WHERE digest = ?) AND NOT gone ORDER BY first_seen, person",
        (digest(*conversation),),
    )
    return [_member(row) for row in rows.fetchall()]


def find_member(
    connection: sqlite3.Connection, conversation: Conversation, person: Identity
) -> MemberRecord | None:
    """One of them."""
    row = connection.execute(
        f"SELECT {_MEMBER} WHERE conversation ="  # noqa: S608 - ours
        " (SELECT id FROM conversations WHERE digest = ?)"
        " AND person = (SELECT id FROM identities WHERE digest = ?) AND NOT gone",
        (digest(*conversation), digest(*person)),
    ).fetchone()
    return _member(row) if row else None


def find_person(connection: sqlite3.Connection, person: Identity) -> MemberRecord | None:
    """What was last seen of someone: the newest sighting that told a name, else the newest."""
    return find_people(connection, (person,)).get(person)


def find_people(
    connection: sqlite3.Connection, persons: Sequence[Identity]
) -> dict[Identity, MemberRecord]:
    """The same for many."""
    rows = select_in(
        connection,
        f"SELECT {_MEMBER} WHERE (conversation, person) IN (SELECT conversation, person FROM ("  # noqa: S608 - ours
        "SELECT conversation, person, row_number() OVER (PARTITION BY person"
        " ORDER BY name = '', last_seen DESC) AS rank FROM members"
        " WHERE person IN (SELECT id FROM identities WHERE digest IN ({}))) WHERE rank = 1)",
        [digest(*person) for person in persons],
    )
    records = map(_member, rows)
    return {record.person: record for record in records}


def find_names(connection: sqlite3.Connection, persons: Sequence[Identity]) -> dict[Identity, str]:
    """What people were last called, in any conversation; nothing of those without a name."""
    by_key = {digest(*person): person for person in persons}
    rows = select_in(
        connection,
        "SELECT digest, members.name, last_seen FROM members"
        " JOIN identities ON identities.id = person"
        " WHERE members.name != '' AND digest IN ({})",
        list(by_key),
    )
    rows.sort(key=lambda row: row[2])
    return {by_key[key]: name for key, name, _ in rows}


def _touch(
    database: Database,
    sightings: Iterable[ConversationSighting],
    ids: dict[Conversation, int],
) -> None:
    seen = database.seen_conversations
    rows: list[tuple[Any, ...]] = []
    for one in sightings:
        place = ids[one.conversation]
        known = seen.get(place)
        if known is not None and not one.ended and not _tells_more_of(one, known):
            continue
        told = (storable(one.name), storable(one.parent), storable(one.peer_openid))
        if one.ended:
            seen.drop(place)
        else:
            name, parent, peer, last_seen = known or ("", "", "", 0.0)
            merged = (told[0] or name, told[1] or parent, told[2] or peer)
            seen.put(place, (*merged, max(last_seen, one.time)))
        rows.append((*told, one.time, one.ended, place))
    if rows:
        database.connection.executemany(
            "UPDATE conversations SET name = coalesce(nullif(?1, ''), name),"
            " parent = coalesce(nullif(?2, ''), parent), peer = coalesce(nullif(?3, ''), peer),"
            " first_seen = coalesce(min(first_seen, ?4), ?4), last_seen = max(last_seen, ?4),"
            " ended = ?5 WHERE id = ?6",
            rows,
        )


def _meet(database: Database, sightings: Sequence[Sighting], ids: dict[Conversation, int]) -> None:
    seen = database.seen_members
    news: list[tuple[int, Sighting]] = []
    for one in sightings:
        place = ids[one.conversation]
        known = seen.get((place, one.person))
        if known is None or one.left or _tells_more(one, known):
            news.append((place, one))
            if one.left or one.outside:
                seen.drop((place, one.person))
            else:
                seen.put((place, one.person), _merged(one, known))
    if not news:
        return
    persons = claim(database, [one.person for _, one in news])
    insert_rows(
        database.connection,
        "INSERT OR ROLLBACK INTO members (conversation, person, name, role, is_bot, joined_at,"
        " first_seen, last_seen, last_spoke, gone)",
        [
            (
                place,
                persons[one.person][0],
                storable(one.name),
                storable(one.role),
                one.is_bot,
                one.joined_at,
                one.time,
                one.time,
                one.time if one.spoke else 0.0,
                _OUTSIDE if one.outside else int(one.left),
            )
            for place, one in news
        ],
        "ON CONFLICT (conversation, person) DO UPDATE SET"
        " name = coalesce(nullif(excluded.name, ''), name),"
        " role = coalesce(nullif(excluded.role, ''), role),"
        " is_bot = max(is_bot, excluded.is_bot),"
        " joined_at = coalesce(nullif(excluded.joined_at, 0), joined_at),"
        " first_seen = min(first_seen, excluded.first_seen),"
        " last_seen = max(last_seen, excluded.last_seen),"
        " last_spoke = max(last_spoke, excluded.last_spoke),"
        f" gone = CASE excluded.gone WHEN {_OUTSIDE} THEN gone ELSE excluded.gone END",
    )


def _tells_more_of(one: ConversationSighting, known: SeenConversation) -> bool:
    name, parent, peer, last_seen = known
    return (
        one.time - last_seen >= RESOLUTION
        or one.name not in ("", name)
        or one.parent not in ("", parent)
        or one.peer_openid not in ("", peer)
    )


def _tells_more(one: Sighting, known: Seen) -> bool:
    name, role, is_bot, joined_at, last_seen, last_spoke = known
    return (
        one.name not in ("", name)
        or one.role not in ("", role)
        or (one.is_bot and not is_bot)
        or one.joined_at not in (0.0, joined_at)
        or one.time - last_seen >= RESOLUTION
        or (one.spoke and one.time - last_spoke >= RESOLUTION)
    )


def _merged(one: Sighting, known: Seen | None) -> Seen:
    name, role, is_bot, joined_at, last_seen, last_spoke = known or ("", "", False, 0.0, 0.0, 0.0)
    return (
        one.name or name,
        one.role or role,
        one.is_bot or is_bot,
        one.joined_at or joined_at,
        max(last_seen, one.time),
        max(last_spoke, one.time) if one.spoke else last_spoke,
    )


def storable(text: str) -> str:
    """Text that the database can hold: halves of surrogate pairs become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _conversation(row: tuple[Any, ...]) -> ConversationRecord:
    app_id, scene, openid, *rest = row
    return ConversationRecord(Conversation(AppId(app_id), Scene(scene), openid), *rest)


def _member(row: tuple[Any, ...]) -> MemberRecord:
    app_id, kind, openid, number, name, role, is_bot, joined_at, first_seen, last_spoke = row
    return MemberRecord(
        person=Identity(AppId(app_id), IdKind(kind), openid),
        number=number,
        name=name,
        role=role,
        is_bot=bool(is_bot),
        joined_at=joined_at,
        first_seen=first_seen,
        last_spoke=last_spoke,
    )
