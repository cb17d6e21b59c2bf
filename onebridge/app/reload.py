"""What an edited configuration changes in a process that runs; pure.

Some keys apply at once, the others when the process is started again: those keep their old values
until then.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from onebridge.config import AccountSettings, Config, Part
from onebridge.keys import AppId

APPLIED = (
    "log",
    "delivery",
    "commands",
    "onebot",
    "overrides",
    "reverse_websocket",
    "http_post",
    "auto_reply",
    "convert",
)
"""Keys whose edits apply at once (design.md section 8); ``accounts`` apply one by one."""


class Difference(msgspec.Struct, frozen=True):
    """From one configuration to the next.

    Attributes:
        config: What to run with: the new one, with the old values of what needs a restart.
        sections: Keys of ``APPLIED`` that differ.
        needs_restart: Other keys that differ, as ``server.port``.
        added: Accounts that are new.
        changed: Accounts of which something differs.
        removed: Accounts that are gone.
    """

    config: Config
    sections: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    added: tuple[AccountSettings, ...] = ()
    changed: tuple[AccountSettings, ...] = ()
    removed: tuple[AppId, ...] = ()


class Reloaded(msgspec.Struct, frozen=True):
    """What became of an edited configuration, in words.

    Attributes:
        applied: What is in effect now.
        needs_restart: Keys whose edits wait for the next start.
        problems: Why nothing was changed; empty if the configuration is good.
    """

    applied: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def difference(old: Config, new: Config, *, opens_webhook: bool) -> Difference:
    """Compare two configurations.

    Args:
        old: What the process runs with.
        new: What the file says now.
        opens_webhook: The listener for callbacks is not open yet, so its settings are still free.
    """
    applied = [*APPLIED, "webhook"] if opens_webhook else APPLIED
    fixed = [
        name
        for name in Config.__struct_fields__
        if name not in (*applied, "accounts", "schema") and getattr(old, name) != getattr(new, name)
    ]
    before = {account.app_id: account for account in old.accounts}
    after = {account.app_id: account for account in new.accounts}
    return Difference(
        config=msgspec.structs.replace(new, **{name: getattr(old, name) for name in fixed}),
        sections=tuple(name for name in applied if getattr(old, name) != getattr(new, name)),
        needs_restart=tuple(
            key for name in fixed for key in _changed(getattr(old, name), getattr(new, name), name)
        ),
        added=tuple(one for app_id, one in after.items() if app_id not in before),
        changed=tuple(one for app_id, one in after.items() if before.get(app_id, one) != one),
        removed=tuple(AppId(app_id) for app_id in before if app_id not in after),
    )


def in_words(found: Difference, anew: Sequence[AppId]) -> Reloaded:
    """What became of it, for people.

    Args:
        found: What was edited.
        anew: Accounts that were started anew, edited or not.
    """
    edited = {account.app_id for account in found.changed}
    return Reloaded(
        applied=(
            *found.sections,
            *(f"account {account.app_id}: added" for account in found.added),
            *(f"account {app_id}: removed" for app_id in found.removed),
            *(
                f"account {app_id}: " + ("started anew" if app_id in edited else "tried again")
                for app_id in anew
            ),
        ),
        needs_restart=found.needs_restart,
    )


def _changed(old: Any, new: Any, path: str) -> Iterator[str]:
    """The innermost keys that differ; lists and maps count as one value."""
    if isinstance(old, Part) and type(old) is type(new):
        for name in old.__struct_fields__:
            yield from _changed(getattr(old, name), getattr(new, name), f"{path}.{name}")
    elif old != new:
        yield path
