"""What cannot work in ``overrides``, ``commands`` and ``auto_reply``, in words."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from onebridge.config import CommandSettings, Config, Part
from onebridge.config_overrides import changed_by


def impossible_rules(config: Config) -> Iterator[str]:
    """Every fault of these sections."""
    yield from _impossible_commands(config.commands, "commands")
    for index, rule in enumerate(config.auto_reply.rules):
        try:
            re.compile(rule.pattern)
        except re.error as error:
            yield (
                f"auto_reply.rules[{index}].pattern: should be a regular expression, found"
                f" {rule.pattern!r}: {error}"
            )
    for index, override in enumerate(config.overrides):
        path = f"overrides[{index}]"
        yield from _impossible_changes(config.delivery, override.delivery, f"{path}.delivery")
        yield from _impossible_changes(config.commands, override.commands, f"{path}.commands")


def overrides_in_vain(config: Config) -> Iterator[str]:
    """Overrides that are for nobody: no fault, since an account may come back."""
    known = {account.app_id for account in config.accounts}
    for index, override in enumerate(config.overrides):
        if override.account is not None and override.account not in known:
            yield (
                f"overrides[{index}]: has no effect, since there is no account with app_id"
                f" {override.account}"
            )


def _impossible_changes(settings: Part, keys: Mapping[str, Any], path: str) -> Iterator[str]:
    unknown = [key for key in keys if key not in settings.__struct_fields__]
    for key in unknown:
        near = difflib.get_close_matches(key, settings.__struct_fields__, n=1, cutoff=0.5)
        known = ", ".join(settings.__struct_fields__)
        yield f"{path}.{key}: unknown key; " + (
            f"did you mean {near[0]}?" if near else f"known: {known}"
        )
    if unknown:
        return
    try:
        changed = changed_by(settings, [keys])
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `")
        yield f"{path}{where.removesuffix('`').removeprefix('$')}: {message}"
    else:
        if isinstance(changed, CommandSettings) and changed != settings:
            yield from _impossible_commands(changed, path)


def _impossible_commands(commands: CommandSettings, path: str) -> Iterator[str]:
    for name in ("allow", "deny"):
        if not all(command.strip("/ ") for command in getattr(commands, name)):
            yield f"{path}.{name}: an empty command would stand for every message"
    for alias in commands.aliases:
        if not alias.strip("/ "):
            yield f"{path}.aliases: an empty command cannot be replaced"
