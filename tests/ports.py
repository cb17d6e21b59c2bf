"""Ports for the servers of tests."""

import random
import socket


def free_port() -> int:
    """A port that nobody listens on.

    It is none of those that systems give to outgoing connections: one of them could take it before
    the program that it is meant for does.
    """
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
