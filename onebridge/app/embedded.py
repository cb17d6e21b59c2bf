"""The embedded platform: the sandbox in the same process, for accounts without an account.

It is reached over loopback sockets like the real one: nothing in the bridge knows the difference.
"""

from collections.abc import Iterable

from onebridge.config import AccountSettings, PlatformUrls
from onebridge.errors import ConfigError
from onebridge.sandbox.server import Sandbox, SandboxSettings
from onebridge.sandbox.world import World

FOREVER = 86_400.0

PORT = 9000
"""Where the chat page is, unless something else listens there."""


class EmbeddedPlatform:
    """A sandbox that knows the bots of the configuration."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._accounts: dict[str, AccountSettings] = {}

    @classmethod
    async def start(cls) -> "EmbeddedPlatform":
        """Open it on its usual port, or on any that is free."""
        try:
            sandbox = await open_sandbox(SandboxSettings(port=PORT))
        except ConfigError:
            sandbox = await open_sandbox(SandboxSettings(port=0))
        return cls(sandbox)

    def admit(self, accounts: Iterable[AccountSettings]) -> None:
        """Know the bots of those accounts that use it, with somebody to talk to."""
        world = self._sandbox.world
        for account in accounts:
            if account.platform == "embedded":
                if account.app_id not in world.bots:
                    _furnish(world, account)
                world.bot(account.app_id).secret = account.app_secret
                self._accounts[account.app_id] = account

    async def stop(self) -> None:
        """Close it."""
        await self._sandbox.stop()

    def call_back(self, url: str) -> None:
        """Send the events of those that receive by webhook there, as set in the console."""
        for account in self._accounts.values():
            bot = self._sandbox.world.bot(account.app_id)
            bot.webhook_url = None if account.receive == "websocket" else url
            bot.webhook_only = account.receive == "webhook"

    @property
    def urls(self) -> PlatformUrls:
        """What an account's ``platform`` setting would be for it."""
        return PlatformUrls(api_url=self._sandbox.api_url, token_url=self._sandbox.token_url)

    @property
    def chat_url(self) -> str:
        """The page where a person talks to the bot."""
        return str(self._sandbox.chat_url)

    async def online(self, app_id: str) -> None:
        """Return when a bot has a session, however long it takes."""
        await self._sandbox.online(app_id, timeout=FOREVER)

    def self_id(self, app_id: str) -> str:
        """The QQ number of a bot, as the platform tells it."""
        return self._sandbox.world.bot(app_id).uin or app_id


def _furnish(world: World, account: AccountSettings) -> None:
    """Somebody to talk to, for a bot that the default world does not have."""
    bot = world.add_bot(account.app_id, account.app_secret, uin=account.app_id)
    ming = world.add_user("小明", bot.app_id)
    wang = world.add_user("老王", bot.app_id)
    world.add_group("测试群", {wang.openid: "owner", ming.openid: "member"}, bot.app_id)
    guild = world.add_guild("读书角", {ming.openid: ["1", "4"], wang.openid: ["1"]}, bot.app_id)
    world.add_channel(guild, "闲聊")
    world.open_dm(ming, guild)


async def open_sandbox(settings: SandboxSettings) -> Sandbox:
    """A sandbox that listens.

    Raises:
        ConfigError: The address is in use or cannot be used.
    """
    sandbox = Sandbox(settings)
    try:
        await sandbox.start()
    except OSError as error:
        await sandbox.stop()
        raise ConfigError(
            [
                f"cannot listen on {settings.host}:{settings.port} ({error.strerror or error});"
                " choose another --port, or stop what runs there"
            ]
        ) from error
    return sandbox
