"""Settings of one account, or of one group of it, laid over the general ones (``overrides``)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

import msgspec

from onebridge.config import Config, Part

Settings = TypeVar("Settings", bound=Part)
Made = TypeVar("Made")

Section = Literal["commands", "delivery"]
GroupChange = tuple[str, Mapping[str, Any]]
"""A group, by openid or decimal number, and the keys that differ there."""


class Overridden(Generic[Made]):
    """What an account's settings make, group by group.

    Args:
        settings: What holds where no group has settings of its own.
        changes: The groups that have; of two that change the same key the later wins.
        make: What is made of settings, once for each combination that occurs.
    """

    def __init__(
        self,
        settings: Settings,
        changes: Sequence[GroupChange],
        make: Callable[[Settings], Made],
    ) -> None:
        self.everywhere = make(settings)
        self._changes = changes

        def make_changed(changed: Sequence[Mapping[str, Any]]) -> Made:
            return make(changed_by(settings, changed))

        self._make = make_changed
        self._made: dict[tuple[int, ...], Made] = {(): self.everywhere}

    @property
    def has_groups(self) -> bool:
        """Whether any group differs."""
        return bool(self._changes)

    def of(self, openid: str, number: int) -> Made:
        """What holds in a group or channel, named by its openid and its number."""
        names = (openid, str(number))
        chosen = tuple(place for place, (group, _) in enumerate(self._changes) if group in names)
        made = self._made.get(chosen)
        if made is None:
            made = self._made[chosen] = self._make([self._changes[place][1] for place in chosen])
        return made


def overridden(
    config: Config, section: Section, account: str, make: Callable[[Any], Made]
) -> Overridden[Made]:
    """A section of the configuration as it is for one account."""
    general: list[Mapping[str, Any]] = []
    changes: list[GroupChange] = []
    for override in config.overrides:
        keys: Mapping[str, Any] = getattr(override, section)
        if not keys or override.account not in (None, account):
            continue
        if override.group is None:
            general.append(keys)
        else:
            changes.append((str(override.group), keys))
    return Overridden(changed_by(getattr(config, section), general), changes, make)


def changed_by(settings: Settings, changes: Sequence[Mapping[str, Any]]) -> Settings:
    """Settings with some keys replaced, later ones last.

    Raises:
        msgspec.ValidationError: A key has a wrong value.
    """
    if not changes:
        return settings
    plain: dict[str, Any] = msgspec.to_builtins(settings)
    for keys in changes:
        plain |= keys
    return msgspec.convert(plain, type(settings))
