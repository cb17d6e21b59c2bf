"""``onebridge check``: what is wrong with a configuration, and what to do about it."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path

import aiohttp
import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from yarl import URL

from onebridge.app.process import database_path
from onebridge.app.shards import plausible_shards
from onebridge.clock import Clock, SystemClock
from onebridge.config import AccountSettings, Config, ReverseWebSocketSettings
from onebridge.config_file import without_effect
from onebridge.errors import ConfigError, OnebridgeError, StoreError
from onebridge.keys import AppId
from onebridge.qq.http import Hosts
from onebridge.qq.rest import QQRest
from onebridge.qq.token import AccessToken
from onebridge.qq.wire import intents_from_names
from onebridge.store.sqlite import SqliteStore

CLOCK_SKEW = 30.0
"""Seconds that our clock may differ from the platform's before reply windows are misjudged."""

DIAL_TIMEOUT = 5.0


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    level: Level
    subject: str
    words: str


async def check(config: Config, folder: Path, clock: Clock | None = None) -> AsyncIterator[Finding]:
    """Look at everything that commonly goes wrong, one finding at a time."""
    clock = clock or SystemClock()
    for note in without_effect(config):
        yield Finding(Level.WARNING, "config", note)
    if config.log.file is not None:
        yield _log_can_be_written(Path(config.log.file))
    server, webhook = config.server, config.webhook
    yield _port_is_free("server", server.host, server.port)
    if any(account.receive != "websocket" for account in config.accounts):
        yield _port_is_free("webhook", webhook.host, webhook.port)
        yield await asyncio.to_thread(_certificate_works, config, folder)
    yield await _store_opens(config, folder, clock)
    async with aiohttp.ClientSession() as http:
        for account in config.accounts:
            async for finding in _account_works(account, http, clock):
                yield finding
    for entry in config.reverse_websocket:
        yield await _application_answers(entry)
    for target in config.http_post:
        host, port = _address(target.url)
        yield _is_reachable(f"http_post {target.url}", host, port)


def _log_can_be_written(path: Path) -> Finding:
    subject = f"log.file {path}"
    target = path if path.exists() else path.parent
    if path.is_dir() or not path.parent.is_dir() or not os.access(target, os.W_OK):
        return Finding(
            Level.ERROR, subject, "cannot be written: create its folder, or name another file"
        )
    return Finding(Level.OK, subject, "can be written")


def _port_is_free(listener: str, host: str, port: int) -> Finding:
    subject = f"{listener} {host}:{port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                advice = (
                    "another program, or a running onebridge, has it. Stop that, or set"
                    f" {listener}.port"
                )
            else:
                advice = f"set {listener}.host to an address of this machine, and a port above 1023"
            return Finding(
                Level.ERROR, subject, f"cannot listen there ({error.strerror}): {advice}"
            )
    return Finding(Level.OK, subject, "free")


def _certificate_works(config: Config, folder: Path) -> Finding:
    from onebridge.app.webhook import tls_context

    subject = "webhook TLS"
    try:
        context = tls_context(config.webhook, folder)
    except ConfigError as error:
        return Finding(Level.ERROR, subject, str(error))
    if context is None:
        return Finding(
            Level.OK, subject, "is left to a reverse proxy: the platform calls https addresses only"
        )
    return Finding(Level.OK, subject, "certificate and key can be used")


async def _store_opens(config: Config, folder: Path, clock: Clock) -> Finding:
    path = database_path(config, folder)
    store = SqliteStore(
        path, durability=config.store.durability, id_range=config.ids.range, clock=clock
    )
    try:
        await store.open()
        info = await store.info()
        await store.close()
    except StoreError as error:
        return Finding(Level.ERROR, f"store {path}", str(error))
    return Finding(
        Level.OK,
        f"store {path}",
        f"schema {info.schema_version}, {info.messages} messages, {info.identities} identities",
    )


async def _account_works(
    account: AccountSettings, http: aiohttp.ClientSession, clock: Clock
) -> AsyncIterator[Finding]:
    subject = f"account {account.app_id}"
    if not isinstance(account.intents, str):
        try:
            intents_from_names(account.intents)
        except ConfigError as error:
            yield Finding(Level.ERROR, subject, str(error))
    if account.platform == "embedded":
        yield Finding(Level.OK, subject, "uses the embedded platform: nothing to ask")
        return
    hosts = Hosts.for_platform(account.platform)
    token = AccessToken(
        http, hosts, app_id=account.app_id, app_secret=account.app_secret, clock=clock
    )
    rest = QQRest(http, hosts, token, account=AppId(account.app_id), clock=clock)
    try:
        profile = await rest.me()
        gateway = await rest.gateway() if account.receive != "webhook" else None
    except OnebridgeError as error:
        yield Finding(Level.ERROR, subject, str(error))
        return
    yield Finding(Level.OK, subject, f"is {profile.username}, QQ number {profile.robot_uin or '?'}")
    if account.self_id and profile.robot_uin and int(profile.robot_uin) != account.self_id:
        yield Finding(
            Level.WARNING,
            f"{subject} self_id",
            f"is configured as {account.self_id}, the bot's QQ number is {profile.robot_uin}:"
            " applications that show its avatar by number will show somebody else's",
        )
    skew = abs(rest.clock_offset)
    if skew > CLOCK_SKEW:
        yield Finding(
            Level.WARNING,
            "clock",
            f"differs from the platform's by {skew:.0f} s; set it, or replies come too late",
        )
    if gateway is None:
        return
    shards = plausible_shards(gateway.shards)
    if shards != gateway.shards:
        yield Finding(
            Level.WARNING,
            f"{subject} gateway",
            f"tells {gateway.shards} shards; {shards} is used unless `shards` says otherwise",
        )
    if gateway.sessions_remaining < shards:
        yield Finding(
            Level.ERROR,
            f"{subject} gateway",
            f"{gateway.sessions_remaining} session starts are left for {shards} shards;"
            f" new ones in {gateway.reset_after:.0f} s",
        )
    else:
        yield Finding(
            Level.OK,
            f"{subject} gateway",
            f"{shards} shard(s), {gateway.sessions_remaining} session starts left",
        )


async def _application_answers(entry: ReverseWebSocketSettings) -> Finding:
    """Shake hands like a bot would; what it answers tells most mistakes apart."""
    url = entry.event_url or entry.url if entry.role == "split" else entry.url
    subject = f"reverse_websocket {url}"
    headers = {"X-Self-ID": "10000", "X-Client-Role": "Universal"}
    if entry.access_token:
        headers["Authorization"] = f"Bearer {entry.access_token}"
    try:
        async with connect(url, additional_headers=headers, open_timeout=DIAL_TIMEOUT, proxy=None):
            return Finding(Level.OK, subject, "answers")
    except InvalidStatus as error:
        status = error.response.status_code
        hint = {
            401: "it wants an access_token; set the one that the framework is configured with",
            403: "it refuses the access_token, or has a connection already",
            404: "there is nothing at this path; look up the framework's in docs/frameworks.md",
        }.get(status, "look at the framework's log")
        return Finding(Level.ERROR, subject, f"answers {status}: {hint}")
    except (OSError, TimeoutError, InvalidHandshake) as error:
        return Finding(
            Level.WARNING,
            subject,
            f"does not answer ({error}): start the framework; onebridge will keep dialling",
        )


def _is_reachable(subject: str, host: str, port: int) -> Finding:
    try:
        socket.create_connection((host, port), DIAL_TIMEOUT).close()
    except OSError as error:
        return Finding(
            Level.WARNING,
            subject,
            f"does not answer ({error}): start the framework; events wait for it",
        )
    return Finding(Level.OK, subject, "answers")


def _address(url: str) -> tuple[str, int]:
    parts = URL(url)
    return parts.host or "", parts.port or 80
