"""Files of messages on their way out: fetched and uploaded before the message's turn comes."""

import asyncio
import math
from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO

import msgspec

from onebridge.bridge.received import ReceivedFiles
from onebridge.bridge.refusals import refused
from onebridge.delivery.outbox import REFUSALS
from onebridge.errors import ActionError, MalformedPayloadError, MediaError
from onebridge.keys import Conversation
from onebridge.media.upload import MediaUploads
from onebridge.onebot.actions import Retcode
from onebridge.onebot.segments import Message
from onebridge.qq.calls import FileType, MediaNeed, PreparedMedia
from onebridge.translate.to_qq import media_needs

ANSWER_SECONDS = 1.0
"""How much before its deadline an action gives a file up, so that the answer can say so."""

MOST_QRCODES = 3
"""In one message: each takes a message of its own on QQ, and there are few replies."""

LONGEST_LINK = 1000
"""Characters; a QR code of a longer one is too fine for many a phone."""

QRCODE_CELL = 8
"""Pixels of a module's side; phones read it from a screen."""


class OutgoingFiles:
    """What one account sends.

    Args:
        uploads: Brings files to the platform.
        received: Files that came in, which may be sent on by name.
    """

    def __init__(self, uploads: MediaUploads, received: ReceivedFiles) -> None:
        self._uploads = uploads
        self._received = received

    async def prepare(
        self, segments: Message, conversation: Conversation, start_by: float
    ) -> dict[int, PreparedMedia]:
        """The files of a message, by the index of their segment.

        Args:
            segments: The message.
            conversation: Where it goes.
            start_by: Loop time after which it is too late.

        Raises:
            ActionError: 113 or 102, a file cannot be had or sent; 1400, a segment names none.
        """
        needs = media_needs(segments, conversation.scene)
        return {need.index: await self._prepare(need, conversation, start_by) for need in needs}

    async def draw(
        self, links: Sequence[str], conversation: Conversation, start_by: float
    ) -> dict[str, PreparedMedia]:
        """QR codes of links, the first few; a link too long for one has none.

        Raises:
            ActionError: 113, one could not be uploaded.
        """
        drawn: dict[str, PreparedMedia] = {}
        for link in [link for link in links if len(link) <= LONGEST_LINK][:MOST_QRCODES]:
            code = b64encode(await asyncio.to_thread(qrcode, link)).decode("ascii")
            need = MediaNeed(-1, FileType.IMAGE, f"base64://{code}")
            drawn[link] = await self._prepare(need, conversation, start_by)
        return drawn

    def forget(self, prepared: Sequence[PreparedMedia]) -> None:
        """The platform no longer takes these: they are uploaded again when wanted."""
        for one in prepared:
            self._uploads.forget(one.file_info)

    async def _prepare(
        self, need: MediaNeed, conversation: Conversation, start_by: float
    ) -> PreparedMedia:
        try:
            limit = None if start_by == math.inf else start_by - ANSWER_SECONDS
            async with asyncio.timeout_at(limit):
                source = await self._received.as_source(need.source)
                need = msgspec.structs.replace(need, source=source)
                return await self._uploads.prepare(need, conversation)
        except TimeoutError as error:
            slow = MediaError(need.source, "the file was not there in time for the answer")
            raise ActionError(Retcode.MEDIA, str(slow)) from error
        except (MediaError, MalformedPayloadError) as error:
            raise ActionError(Retcode.MEDIA, str(error)) from error
        except REFUSALS as error:
            raise refused(error, retcode=Retcode.MEDIA) from error


def qrcode(link: str) -> bytes:
    """A link as a QR code, PNG."""
    import segno  # only who shows links this way needs it

    out = BytesIO()
    target = link if "://" in link else f"https://{link}"
    segno.make_qr(target, boost_error=False).save(out, kind="png", scale=QRCODE_CELL)
    return out.getvalue()
