"""Conversions in processes of their own, a few at a time; see ``worker.py`` for why."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Literal

from onebridge.errors import MediaError
from onebridge.media.worker import REFUSED
from onebridge.observability import counters

AT_ONCE = 2
"""Conversions at a time; each may take a processor and much memory."""

TIMEOUT = 20.0
"""Seconds; within ``onebot.action_timeout``, so that the answer can still say why."""

Job = Literal["picture", "silk", "sound"]

_ENVIRONMENT = {
    "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    "PYTHONIOENCODING": "utf-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}
_PASSED_ON = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class Converter:
    """Converts files; without state but for the places.

    Args:
        at_once: Conversions at a time; whoever comes later waits.
        timeout: Seconds for one, waiting not counted.
    """

    def __init__(self, at_once: int = AT_ONCE, timeout: float = TIMEOUT) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._timeout = timeout

    async def convert(self, job: Job, argument: str, data: bytes, source: str) -> bytes:
        """One conversion.

        Args:
            job: What to do, see ``worker.JOBS``.
            argument: Its parameter.
            data: The file.
            source: As the application named it, for the error.

        Raises:
            MediaError: It cannot be converted; the words say why.
        """
        async with self._places:
            counters[f"media.converted.{job}"] += 1
            return await self._run(job, argument, data, source)

    async def _run(self, job: Job, argument: str, data: bytes, source: str) -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            # -P: what lies in the current folder is not imported by chance.
            *("-P", "-m", "onebridge.media.worker", job, argument),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # Nothing of ours is its business, least of all secrets.
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ}
            | _ENVIRONMENT,
        )
        try:
            async with asyncio.timeout(self._timeout):
                result, words = await process.communicate(data)
        except TimeoutError as error:
            raise MediaError(
                source, f"the file was not converted within {self._timeout:g} s"
            ) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == REFUSED:
            raise MediaError(source, words.decode("utf-8", "replace"))
        if process.returncode or not result:
            counters["media.worker_failed"] += 1
            last = words.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
            raise MediaError(source, f"the file breaks its decoder ({last or process.returncode})")
        return result
