"""A platform that answers what a test tells it, and keeps what it was asked."""

from typing import Any, cast

from onebridge.qq.errors import PlatformError
from onebridge.qq.rest import QQRest


def refusal(code: int = 0, status: int = 403) -> PlatformError:
    return PlatformError("GET /x", http_status=status, code=code, message="no")


NOT_LISTED = refusal(11253)


class FakeRest:
    """Stands in for ``QQRest``: only ``request``.

    Args:
        answers: ``METHOD /path`` (the query is left out) → JSON, or an error to raise.
        otherwise: For everything else.
    """

    def __init__(self, answers: dict[str, Any] | None = None, otherwise: Any = NOT_LISTED) -> None:
        self.answers = answers or {}
        self.otherwise = otherwise
        self.asked: list[tuple[str, Any]] = []

    async def request(self, method: str, path: str, json: Any = None) -> Any:
        self.asked.append((f"{method} {path}", json))
        answer = self.answers.get(f"{method} {path.partition('?')[0]}", self.otherwise)
        if isinstance(answer, list) and answer and isinstance(answer[0], tuple):
            answer = answer.pop(0)[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def rest(self) -> QQRest:
        return cast("QQRest", self)

    def count(self, call: str) -> int:
        """How often something was asked."""
        return sum(1 for asked, _ in self.asked if asked.partition("?")[0] == call)
