"""The listener for applications."""

from aiohttp import web

from onebridge.config import ServerSettings
from onebridge.errors import ConfigError
from onebridge.observability import get_logger

log = get_logger(__name__)


async def listen(app: web.Application, server: ServerSettings) -> web.AppRunner:
    """Open the listener for applications.

    Raises:
        ConfigError: The address is in use or cannot be used.
    """
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    site = web.TCPSite(runner, server.host, server.port, reuse_address=True)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(
            [
                f"server.port: cannot listen on {server.host}:{server.port}"
                f" ({error.strerror or error}); is onebridge or another program running there?"
                " Set another port, or stop it"
            ]
        ) from error
    log.info("server.listening", host=server.host, port=server.port)
    return runner
