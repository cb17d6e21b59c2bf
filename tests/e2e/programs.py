"""Programs of the end-to-end tests: real processes, their output kept, always ended."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

HERE = Path(__file__).parent
PATIENCE = 20.0
"""Seconds that anything in these tests may take on a busy machine."""


class Program:
    """One process with its children. ``running`` lists all of them, for the report of a failure."""

    running: ClassVar[list["Program"]] = []

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.lines: list[str] = []
        self._grown = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            list(command),
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdin=stdin,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"{name} output", daemon=True)
        self._reader.start()
        Program.running.append(self)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                with self._grown:
                    self.lines.append(line.rstrip("\n"))
                    self._grown.notify_all()
        with self._grown:
            self._ended = True
            self._grown.notify_all()

    def wait_for_line(self, pattern: str, timeout: float = PATIENCE, times: int = 1) -> str:
        """The n-th line of output that the pattern is found in, past or to come."""
        expression = re.compile(pattern)
        deadline = time.monotonic() + timeout
        read = found = 0
        with self._grown:
            while True:
                for line in self.lines[read:]:
                    found += expression.search(line) is not None
                    if found == times:
                        return line
                read = len(self.lines)
                if self._ended:
                    raise AssertionError(f"{self.name} ended without {pattern!r}:\n{self.tail()}")
                if not self._grown.wait(deadline - time.monotonic()):
                    raise AssertionError(f"{self.name} did not say {pattern!r}:\n{self.tail()}")

    def tail(self, count: int = 120) -> str:
        """The last lines of output."""
        return "\n".join(line[:500] for line in self.lines[-count:])

    @property
    def returncode(self) -> int | None:
        """Exit code; None while it runs."""
        return self._process.poll()

    def hang_up(self) -> None:
        """Have it read its configuration again (SIGHUP)."""
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End the whole group at once, as a power cut would (SIGKILL)."""
        self._signal(signal.SIGKILL)
        self._process.wait(PATIENCE)

    def stop(self) -> int:
        """Ask it to end (SIGTERM) and wait; the exit code."""
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait until it has ended by itself; the exit code."""
        code = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def close(self) -> None:
        """See to it that nothing of it is left."""
        self._signal(signal.SIGKILL)
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        Program.running.remove(self)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            print(f"--- output of {self.name} ---\n{self.tail()}")
        self.close()


def python(name: str, *arguments: str, env: Mapping[str, str] | None = None) -> Program:
    """A program of this Python."""
    return Program(name, [sys.executable, *arguments], env)
