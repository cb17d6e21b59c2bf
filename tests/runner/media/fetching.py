"""What the tests of fetching share."""

from typing import Any

import pytest
from aiohttp.abc import AbstractResolver

from onebridge.config import MediaSettings
from onebridge.errors import MediaError
from onebridge.media.fetch import MediaFetcher
from onebridge.media.values import Fetched


def allowing(**changes: Any) -> MediaSettings:
    return MediaSettings(**{"allow_private_addresses": True, "timeout": 10.0} | changes)


async def fetch(
    source: str, settings: MediaSettings | None = None, resolver: AbstractResolver | None = None
) -> Fetched:
    async with MediaFetcher(settings or MediaSettings(), resolver) as fetcher:
        return await fetcher.fetch(source)


async def refusal(
    source: str, settings: MediaSettings | None = None, resolver: AbstractResolver | None = None
) -> str:
    with pytest.raises(MediaError) as caught:
        await fetch(source, settings, resolver)
    return str(caught.value)
