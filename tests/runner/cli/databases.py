"""A database that a bridge has written, and commands on it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner, Result

from onebridge.cli import main
from onebridge.clock import SystemClock
from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene
from onebridge.store.records import ConversationSighting, DeadLetter, Sighting
from onebridge.store.sqlite import SqliteStore

ACCOUNT = AppId("102000001")
OTHER = AppId("102000002")
SECRET = "do-not-show-this"
NOW = 1_790_000_000.0
ALICE = Identity(ACCOUNT, IdKind.USER, "A" * 32)
BOB = Identity(ACCOUNT, IdKind.USER, "B" * 32)
GROUP = Conversation(ACCOUNT, Scene.GROUP, "C" * 32)
GROUP_IDENTITY = Identity(ACCOUNT, IdKind.GROUP, GROUP.openid)
RAW = b'{"op":0,"token":"%s","d":"\xff\x1b[2J"}' % SECRET.encode()


def using(path: Path, act: Callable[[SqliteStore], Awaitable[Any]]) -> Any:
    """Do something with the store, as the bridge does."""

    async def run() -> Any:
        store = SqliteStore(path, clock=SystemClock())
        await store.open()
        try:
            return await act(store)
        finally:
            await store.close()

    return asyncio.run(run())


async def fill(store: SqliteStore) -> None:
    await store.claim_numbers([ALICE, BOB, GROUP_IDENTITY])
    await store.record_sightings(
        [
            Sighting(GROUP, ALICE, NOW, name="小红\x1b[31m", role="owner"),
            Sighting(GROUP, BOB, NOW + 5, name="Bob"),
        ],
        [ConversationSighting(GROUP, NOW, name="厨房")],
    )
    letters = [DeadLetter(NOW + n, "gateway", f"fault {n}", RAW) for n in range(3)]
    await store.record_inbound(ACCOUNT, letters)


class Desk:
    """A folder with a configuration, and a command line in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.json"
        self.database = folder / "onebridge.db"
        account = {"app_id": ACCOUNT, "app_secret": SECRET}
        self.config.write_bytes(orjson.dumps({"accounts": [account]}))

    def run(self, *words: str, code: int = 0, stdin: str = "") -> Result:
        place = [] if "--database" in words else ["-c", str(self.config)]
        result = CliRunner().invoke(main, [*words, *place], input=stdin)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        assert SECRET not in result.output
        return result

    def rows(self, *words: str, code: int = 0, stdin: str = "") -> list[dict[str, Any]]:
        """What a command prints with ``--json``."""
        result = self.run(*words, "--json", code=code, stdin=stdin)
        return [orjson.loads(line) for line in result.stdout.splitlines()]

    def files(self) -> list[str]:
        return sorted(file.name for file in self.folder.iterdir())
