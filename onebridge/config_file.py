"""Reading ``config.json``: secrets from the environment, and every fault named at once.

An unknown key names the nearest known one, a wrong value says what was expected and what came, and
combinations that cannot work are refused before anything is started.
"""

import difflib
import ipaddress
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin
from urllib.parse import SplitResult, urlsplit

import msgspec
import orjson
from dotenv import dotenv_values

from onebridge.config import (
    AccountSettings,
    Config,
    EventFilter,
    HttpPostSettings,
    Part,
    PlatformUrls,
    ReverseWebSocketSettings,
    ShardChoice,
)
from onebridge.config_checks import impossible_rules, overrides_in_vain
from onebridge.config_connections import impossible_roles, names_in_vain
from onebridge.errors import ConfigError

NO_ACCOUNTS = (
    "accounts: at least one is needed. Add one to config.json, or set QQ_APP_ID and "
    "QQ_CLIENT_SECRET; `onebridge demo` works without any"
)


RECALL_WINDOW = 120.0
"""Seconds for which the platform lets a bot take a message back (qq-platform.md section 8.3)."""

_WEBHOOK_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
_PROOF_FILE = re.compile(r"[A-Za-z0-9_-]{1,128}\.json")


def load_config(path: Path, environ: Mapping[str, str] | None = None) -> Config:
    """Read a configuration file, with the ``.env`` beside it.

    Args:
        path: The file.
        environ: Environment variables; they win over ``.env``. The process's own if None.

    Raises:
        ConfigError: With every fault found.
    """
    env = {**_dotenv(path.parent / ".env"), **(os.environ if environ is None else environ)}
    try:
        raw = orjson.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(
            [
                f"{path}: there is no such file; docs/start.md shows a small one, and"
                " `onebridge demo` works without"
            ]
        ) from error
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except orjson.JSONDecodeError as error:
        raise ConfigError(
            [f"{path}: line {error.lineno} column {error.colno}: not JSON: {error.msg}"]
        ) from error
    try:
        return parse_config(raw, env, path.parent)
    except RecursionError:
        raise ConfigError([f"{path}: is nested too deeply"]) from None


def _dotenv(path: Path) -> dict[str, str]:
    try:
        found = dotenv_values(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from error
    return {name: value for name, value in found.items() if value is not None}


def parse_config(raw: Any, env: Mapping[str, str], folder: Path) -> Config:
    """Make a configuration of decoded JSON.

    Args:
        raw: The decoded file.
        env: Where ``env:NAME`` looks.
        folder: Where ``file:PATH`` starts, and where a relative database path is.

    Raises:
        ConfigError: With every fault found.
    """
    if not isinstance(raw, dict):
        raise ConfigError([f"the file should hold a JSON object, found {type(raw).__name__}"])
    if not raw.get("accounts") and env.get("QQ_APP_ID") and env.get("QQ_CLIENT_SECRET"):
        raw = {
            **raw,
            "accounts": [{"app_id": env["QQ_APP_ID"], "app_secret": env["QQ_CLIENT_SECRET"]}],
        }
    problems: list[str] = []
    filled = _fill_in(raw, env, folder, "", problems)
    problems.extend(_unknown_keys(filled, Config, ""))
    if problems:
        raise ConfigError(problems)
    problems.extend(_type_errors(filled))
    if problems:
        raise ConfigError(problems)
    config = msgspec.convert(filled, Config)
    problems.extend(_impossible(config))
    if problems:
        raise ConfigError(problems)
    return config


def secrets_in(config: Config) -> Iterator[str]:
    """Every secret of a configuration, for the redactor."""
    for account in config.accounts:
        yield account.app_secret
    yield config.server.access_token
    for entry in config.reverse_websocket:
        yield entry.access_token
        for url in (entry.url, entry.api_url, entry.event_url):
            yield _address_in(url or "").password or ""
    for target in config.http_post:
        yield target.secret
        yield _address_in(target.url).password or ""


def schema() -> dict[str, Any]:
    """The JSON Schema of ``config.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "onebridge configuration",
        **msgspec.json.schema(Config),
    }


def without_effect(config: Config) -> list[str]:
    """Settings that were changed but that this version does not act on yet, in words."""
    defaults = Config()
    notes = [
        f"{part}.{name}: has no effect in this version yet"
        for part, name in (
            ("server", "console"),
            ("server", "metrics"),
        )
        if getattr(getattr(config, part), name) != getattr(getattr(defaults, part), name)
    ]
    if (config.delivery.recall_after or 0.0) > RECALL_WINDOW:
        notes.append(
            f"delivery.recall_after: bots can recall for {RECALL_WINDOW:.0f} seconds; later ones"
            " are refused"
        )
    if config.webhook != defaults.webhook and not _receives_callbacks(config):
        notes.append("webhook: is not opened, since no account has receive: webhook or both")
    return [*notes, *names_in_vain(config), *overrides_in_vain(config)]


def _receives_callbacks(config: Config) -> bool:
    return any(account.receive != "websocket" for account in config.accounts)


def is_loopback(host: str) -> bool:
    """Whether a listener on this address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _fill_in(
    value: Any, env: Mapping[str, str], folder: Path, path: str, problems: list[str]
) -> Any:
    """Replace ``env:NAME`` and ``file:PATH`` strings, anywhere."""
    if isinstance(value, dict):
        return {
            key: _fill_in(item, env, folder, _join(path, key), problems)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [
            _fill_in(item, env, folder, f"{path}[{index}]", problems)
            for index, item in enumerate(value)
        ]
    if not isinstance(value, str):
        return value
    if value.startswith("env:"):
        name = value[4:]
        if name not in env:
            problems.append(f"{path}: the environment variable {name} is not set (nor in .env)")
            return ""
        return env[name]
    if value.startswith("file:") and not value.startswith("file://"):
        try:
            return (folder / value[5:]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{path}: cannot read {value[5:]}: {error}")
            return ""
    return value


def _unknown_keys(value: Any, kind: Any, path: str) -> Iterator[str]:
    """Every key that no setting has, with the nearest that one has."""
    part = _part_in(kind)
    if isinstance(value, dict) and part is not None:
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(part)}
        for key, item in value.items():
            if key not in fields:
                near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(fields)}"
                yield f"{_join(path, key)}: unknown key; {hint}"
            else:
                yield from _unknown_keys(item, fields[key], _join(path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown_keys(item, kind, f"{path}[{index}]")


def _part_in(kind: Any) -> type[Part] | None:
    """The settings class inside an annotation such as ``tuple[X, ...] | None``."""
    if isinstance(kind, type) and get_origin(kind) is None:
        return kind if issubclass(kind, Part) else None
    if get_origin(kind) is Annotated:
        return _part_in(get_args(kind)[0])
    if get_origin(kind) is dict:
        return None
    for inner in get_args(kind):
        part = _part_in(inner)
        if part is not None:
            return part
    return None


def _type_errors(value: dict[str, Any]) -> Iterator[str]:
    """Wrong types and ranges: one for each top-level key, so that several show at once."""
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(Config)}
    for key, item in value.items():
        try:
            msgspec.convert(item, fields[key])
        except msgspec.ValidationError as error:
            message, _, where = str(error).partition(" - at `")
            yield f"{key}{where.removesuffix('`').removeprefix('$')}: {message}"


def _impossible(config: Config) -> Iterator[str]:
    """Combinations that cannot work."""
    if not config.accounts:
        yield NO_ACCOUNTS
    for index, account in enumerate(config.accounts):
        yield from _impossible_account(account, f"accounts[{index}]")
    for app_id, count in Counter(account.app_id for account in config.accounts).items():
        if count > 1:
            yield f"accounts: app_id {app_id} occurs {count} times; once is enough"
    for self_id, count in Counter(account.self_id for account in config.accounts).items():
        if self_id is not None and count > 1:
            yield (
                f"accounts: self_id {self_id} occurs {count} times; applications tell bots apart by"
                " it, so each needs its own"
            )
    yield from _impossible_filter(config.server.filter, "server")
    server = config.server
    if (
        not is_loopback(server.host)
        and not server.access_token
        and (server.http or server.websocket)
    ):
        yield (
            f"server.access_token: is needed because server.host {server.host} can be reached from"
            " other machines; set one, or use 127.0.0.1"
        )
    yield from _impossible_webhook(config)
    yield from _impossible_connections(config)
    yield from impossible_rules(config)
    yield from impossible_roles(config)
    if not config.store.url.startswith("sqlite:///"):
        yield f"store.url: should begin with sqlite:///, found {config.store.url!r}"


def _impossible_account(account: AccountSettings, path: str) -> Iterator[str]:
    if not account.app_id:
        yield f"{path}.app_id: is empty"
    if not account.app_secret:
        yield f"{path}.app_secret: is empty"
    if isinstance(account.platform, PlatformUrls):
        for name in ("api_url", "token_url"):
            url = getattr(account.platform, name)
            if not url.startswith(("http://", "https://")) or not _address_in(url).hostname:
                yield f"{path}.platform.{name}: should be an http:// or https:// URL, found {url!r}"
    if account.self_id is None and not (account.app_id.isascii() and account.app_id.isdecimal()):
        yield f"{path}.app_id: should be decimal digits, found {account.app_id!r}"
    if not isinstance(account.shards, str):
        yield from _impossible_shards(account.shards, f"{path}.shards.ids")


def _impossible_shards(chosen: ShardChoice, path: str) -> Iterator[str]:
    if not chosen.ids:
        yield f'{path}: is empty; name the shards that run here, or set shards to "auto"'
    wrong = sorted({shard for shard in chosen.ids if shard >= chosen.count})
    if wrong:
        yield f"{path}: {wrong} should be below count {chosen.count}: shards count from 0"
    twice = sorted(shard for shard, count in Counter(chosen.ids).items() if count > 1)
    if twice:
        yield f"{path}: {twice} are there more than once; each shard is connected once"


def _impossible_webhook(config: Config) -> Iterator[str]:
    webhook, server = config.webhook, config.server
    if (webhook.tls_cert is None) != (webhook.tls_key is None):
        yield "webhook: tls_cert and tls_key belong together; one of them is missing"
    if _WEBHOOK_PATH.fullmatch(webhook.path) is None:
        yield (
            "webhook.path: should begin with / and have letters, digits, - _ . ~ and / only,"
            f" found {webhook.path!r}"
        )
    for name in webhook.proof_files:
        if _PROOF_FILE.fullmatch(name) is None:
            yield (
                f"webhook.proof_files: {name!r} should be a file name of letters, digits, - and _"
                " that ends in .json"
            )
    if _receives_callbacks(config) and webhook.port == server.port != 0:
        yield f"webhook.port: {webhook.port} is server.port too; they are two listeners"


def _impossible_connections(config: Config) -> Iterator[str]:
    known = {account.app_id for account in config.accounts}
    dialled: Counter[tuple[str, str]] = Counter()
    sections: tuple[
        tuple[str, tuple[str, str], Sequence[ReverseWebSocketSettings | HttpPostSettings]], ...
    ] = (
        ("reverse_websocket", ("ws://", "wss://"), config.reverse_websocket),
        ("http_post", ("http://", "https://"), config.http_post),
    )
    for name, schemes, entries in sections:
        for index, entry in enumerate(entries):
            path = f"{name}[{index}]"
            if not entry.url.startswith(schemes):
                yield f"{path}.url: should begin with {' or '.join(schemes)}, found {entry.url!r}"
            elif not _address_in(entry.url).hostname:
                yield f"{path}.url: should name a host, found {entry.url!r}"
            yield from _impossible_filter(entry.filter, path)
            chosen = known if entry.accounts == "all" else set(entry.accounts)
            for unknown in sorted(chosen - known):
                yield f"{path}.accounts: there is no account with app_id {unknown}"
            dialled.update((entry.url, app_id) for app_id in chosen)
    for (url, app_id), count in sorted(dialled.items()):
        if count > 1:
            yield (
                f"{url} is configured {count} times for account {app_id}; an application would"
                " get every event twice"
            )


def _impossible_filter(chosen: EventFilter | None, path: str) -> Iterator[str]:
    if chosen is not None:
        try:
            re.compile(chosen.text)
        except re.error as error:
            yield f"{path}.filter.text: should be a regular expression: {error}"


def _address_in(url: str) -> SplitResult:
    """The parts of a URL; none of them if it cannot be one."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # Checked when it is read.
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
