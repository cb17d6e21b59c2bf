"""What one entry of ``reverse_websocket`` or ``http_post`` may not say, or says in vain."""

from collections.abc import Iterator

from onebridge.config import Config, ReverseWebSocketSettings


def impossible_roles(config: Config) -> Iterator[str]:
    """Entries that could never connect, or whose addresses would not be used."""
    for index, entry in enumerate(config.reverse_websocket):
        path = f"reverse_websocket[{index}]"
        yield from _impossible_pair(entry, path)
        if any(character < " " or character == "\x7f" for character in entry.access_token):
            yield f"{path}.access_token: has characters that a header cannot carry"


def _impossible_pair(entry: ReverseWebSocketSettings, path: str) -> Iterator[str]:
    for name, url in (("api_url", entry.api_url), ("event_url", entry.event_url)):
        if url is None:
            continue
        if entry.role == "universal":
            yield f'{path}.{name}: is used with "role": "split" only'
        elif not url.startswith(("ws://", "wss://")):
            yield f"{path}.{name}: should begin with ws:// or wss://, found {url!r}"


def names_in_vain(config: Config) -> Iterator[str]:
    """``app_name`` of applications that are posted to: they call through ``server``."""
    for index, entry in enumerate(config.http_post):
        if entry.app_name is not None:
            yield (
                f"http_post[{index}].app_name: has no effect, since who is posted to calls through"
                " the HTTP API; set server.app_name"
            )
