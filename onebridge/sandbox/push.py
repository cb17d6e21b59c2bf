"""The gateway: WebSocket sessions that carry a bot's events.

::

    connect ─ op 10 Hello ─┬─ op 2 Identify ─ READY (s = 1) ────────┬─ dispatches, op 1 / op 11
                           └─ op 6 Resume ─ missed ones ─ RESUMED ──┘
    close: the session stays for ``resume_window`` seconds and keeps gathering events

A session is its numbered history; a connection is a socket that reads from it. Events that no
session may see are gone, as on the platform.

Source: qq-platform.md sections 3.2 to 3.6 (ops, payloads, close codes, lifecycle, shards).
"""

import asyncio
from collections import deque

import msgspec
from aiohttp import WSMsgType, web

from onebridge.sandbox.connection import Connection
from onebridge.sandbox.faults import Fault, Faults
from onebridge.sandbox.logins import Login, Logins
from onebridge.sandbox.model import ALL_INTENTS, Bot, Json
from onebridge.sandbox.sessions import Session, is_shard
from onebridge.sandbox.tokens import Tokens
from onebridge.sandbox.world import Event, World

SESSION_PERIOD = 86_400.0


class GatewaySettings(msgspec.Struct):
    """How the gateway behaves; may be changed while it runs.

    Attributes:
        heartbeat_interval: Seconds between heartbeats, as told in Hello.
        heartbeat_grace: How many intervals may pass in silence before 4009.
        resume_window: Seconds a session outlives its connection.
        rotate_after: Seconds after which the server asks to reconnect (op 7, then 4009); 0 never.
        grace: Seconds between op 7 or op 9 and the close that follows.
        shards: Recommended shard count.
        session_total: Identifies per 24 hours.
        max_concurrency: Identifies per ``identify_period`` seconds.
        identify_period: 0 lets them come as they like; the platform's is 5.
    """

    heartbeat_interval: float = 41.25
    heartbeat_grace: float = 1.5
    resume_window: float = 300.0
    rotate_after: float = 1800.0
    grace: float = 1.0
    shards: int = 1
    session_total: int = 1000
    max_concurrency: int = 1
    identify_period: float = 0.0


class Gateway:
    """All sessions of all bots."""

    def __init__(
        self, world: World, tokens: Tokens, faults: Faults, settings: GatewaySettings
    ) -> None:
        self.settings = settings
        self.logins = Logins()
        self._world = world
        self._tokens = tokens
        self._faults = faults
        self._sessions: dict[str, Session] = {}
        self._connections: set[Connection] = set()
        self._starts: dict[str, deque[float]] = {}
        world.sinks.append(self.dispatch)

    # Events out.

    def dispatch(self, bot: Bot, event_id: str, event: Event) -> None:
        """Give an event to every session that may see it."""
        if bot.webhook_only:
            return
        payload: bytes | None = None
        now = self._world.clock.monotonic()
        for session in list(self._sessions.values()):
            if session.app_id != bot.app_id:
                continue
            if session.connection is None and self._is_over(session, now):
                del self._sessions[session.id]
            elif session.carries(event):
                payload = payload or msgspec.json.encode(event.d)
                self._push(session, event.t, event_id, payload)

    def _prune(self) -> None:
        now = self._world.clock.monotonic()
        for session in list(self._sessions.values()):
            if session.connection is None and self._is_over(session, now):
                del self._sessions[session.id]

    def _is_over(self, session: Session, now: float) -> bool:
        return now - session.detached_at > self.settings.resume_window

    def _push(self, session: Session, event_type: str, event_id: str, payload: bytes) -> None:
        frame = session.number(event_type, event_id, payload)
        connection = session.connection
        if connection is None:
            return
        fault = self._faults.hit("dispatch", event_type, session.app_id)
        if fault is None:
            connection.send(frame)
            return
        match fault.do:
            case "drop":
                pass
            case "reorder":
                connection.hold(frame)
            case "delay":
                connection.pause(fault.seconds)
                connection.send(frame)
            case "duplicate":
                connection.send(frame)
                if fault.fresh:
                    fresh = self._world.ids.event(event_type)
                    frame = session.number(event_type, fresh, payload)
                connection.send(frame)
            case _:
                connection.send(frame)
                self._enact(connection, fault)

    def _enact(self, connection: Connection, fault: Fault) -> None:
        """The faults that end a connection."""
        match fault.do:
            case "close":
                connection.close(fault.code or 4009, fault.message)
            case "reconnect":
                self._ask_to_reconnect(connection)
            case "invalid_session":
                self._invalidate(connection, fault.resumable)
            case "delay":
                connection.pause(fault.seconds)
            case _:
                pass  # silence is the fault

    def _ask_to_reconnect(self, connection: Connection) -> None:
        connection.send(b'{"op":7}')
        connection.pause(self.settings.grace)
        connection.close(4009, "reconnect")

    def _invalidate(self, connection: Connection, resumable: bool) -> None:
        if not resumable:
            for session in [s for s in self._sessions.values() if s.connection is connection]:
                del self._sessions[session.id]
        connection.send(b'{"op":9,"d":%b}' % (b"true" if resumable else b"false"))
        connection.pause(self.settings.grace)
        connection.close(4009, "invalid session")

    # What the REST side and the control API ask.

    def is_online(self, app_id: str) -> bool:
        """Whether the bot has a connected session."""
        return any(s.app_id == app_id and s.connection for s in self._sessions.values())

    def sessions(self) -> list[Session]:
        """Every session, connected or waiting to be resumed."""
        return list(self._sessions.values())

    def act(
        self,
        do: str,
        code: int = 4009,
        app_id: str = "",
        resumable: bool = False,
        seconds: float = 0.0,
    ) -> int:
        """Do something to connections now: see ``control_bodies.GatewayAct``.

        Returns:
            How many connections it met.
        """
        fault = Fault(
            on="dispatch",
            do=do,
            code=code,
            resumable=resumable,
            seconds=seconds,
            message="on demand",
        )
        met = [
            connection
            for connection in self._connections
            if not app_id or any(s.app_id == app_id for s in self._of(connection))
        ]
        for connection in met:
            self._enact(connection, fault)
        return len(met)

    async def inject(self, app_id: str, text: str) -> int:
        """Send raw text to a bot's connections, whatever it is; no session remembers it.

        Returns:
            How many connections got it.
        """
        met = [c for c in self._connections if any(s.app_id == app_id for s in self._of(c))]
        for connection in met:
            connection.send(text.encode())
        # One turn of the loop, in which the writers begin to write.
        await asyncio.sleep(0)
        return len(met)

    def forget_sessions(self) -> None:
        """Lose every session: what resumes next is refused."""
        self._sessions = {s.id: s for s in self._sessions.values() if s.connection is not None}

    def _of(self, connection: Connection) -> list[Session]:
        return [s for s in self._sessions.values() if s.connection is connection]

    def start_limit(self, app_id: str) -> Json:
        """``session_start_limit`` of ``/gateway/bot`` (section 2)."""
        starts = self._recent_starts(app_id)
        now = self._world.now
        first = starts[0] if starts else now
        return {
            "total": self.settings.session_total,
            "remaining": max(0, self.settings.session_total - len(starts)),
            "reset_after": int((SESSION_PERIOD - (now - first)) * 1000),
            "max_concurrency": self.settings.max_concurrency,
        }

    def _recent_starts(self, app_id: str) -> deque[float]:
        starts = self._starts.setdefault(app_id, deque())
        while starts and self._world.now - starts[0] > SESSION_PERIOD:
            starts.popleft()
        return starts

    async def stop(self) -> None:
        """Hang up on everyone."""
        for connection in list(self._connections):
            await connection.hang_up(1001, "going away")

    # One connection.

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve ``/websocket/``."""
        fault = self._faults.hit("connect")
        if fault is not None and fault.do == "refuse":
            return web.Response(status=fault.status)
        socket = web.WebSocketResponse(timeout=1.0, compress=False, writer_limit=2**20)
        await socket.prepare(request)
        connection = Connection(socket, request.transport)
        self._connections.add(connection)
        if fault is None:
            interval = int(self.settings.heartbeat_interval * 1000)
            connection.send(b'{"op":10,"d":{"heartbeat_interval":%d}}' % interval)
        elif fault.do == "close":
            self._enact(connection, fault)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(connection.write(), name="sandbox gateway writer")
                await self._read(connection)
                if not connection.is_ending:
                    writer.cancel()
        finally:
            self._connections.discard(connection)
            for session in self._of(connection):
                session.connection = None
                session.detached_at = self._world.clock.monotonic()
            self._world.changes.publish("gateway", None)
        return socket

    async def _read(self, connection: Connection) -> None:
        clock = self._world.clock
        started = heard = clock.monotonic()
        asked = False
        while True:
            silence = self.settings.heartbeat_interval * self.settings.heartbeat_grace
            deadline = heard + silence
            if self.settings.rotate_after and not asked:
                deadline = min(deadline, started + self.settings.rotate_after)
            try:
                async with asyncio.timeout(deadline - clock.monotonic()):
                    message = await connection.socket.receive()
            except TimeoutError:
                if clock.monotonic() >= heard + silence:
                    await connection.hang_up(4009, "Session timed out")
                    return
                self._ask_to_reconnect(connection)
                asked = True
                continue
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED):
                return
            if message.type is WSMsgType.ERROR:
                return
            heard = clock.monotonic()
            self._receive(connection, message.data)

    def _receive(self, connection: Connection, data: str | bytes) -> None:
        try:
            frame = msgspec.json.decode(data)
            op = frame["op"]
        except (msgspec.DecodeError, KeyError, TypeError, UnicodeError):
            connection.close(4002, "invalid payload")
            return
        match op:
            case 1:
                self._heartbeat(connection)
            case 2 | 6 if self._of(connection):
                connection.close(4005, "already authenticated")
            case 2 | 6 if not isinstance(frame.get("d"), dict):
                connection.close(4002, "invalid payload")
            case 2:
                self.logins.add(self._identify(connection, frame["d"]))
            case 6:
                self.logins.add(self._resume(connection, frame["d"]))
            case _:
                connection.close(4001, "invalid opcode")

    def _heartbeat(self, connection: Connection) -> None:
        app_id = next((session.app_id for session in self._of(connection)), "")
        fault = self._faults.hit("heartbeat", app_id=app_id)
        if fault is None:
            connection.send(b'{"op":11}')
        else:
            self._enact(connection, fault)

    def _identify(self, connection: Connection, d: Json) -> Login:
        kind, _, value = str(d.get("token", "")).partition(" ")
        bot = self._tokens.bot_of(value) if kind == "QQBot" else None
        intents = d.get("intents")
        shard = d.get("shard", [0, 1])
        session_id = refused = ""
        if bot is None:
            refused = connection.refuse(4004, "authentication failed", says_op_9=False)
        elif fault := self._faults.hit("identify", app_id=bot.app_id):
            refused = f"fault: {fault.do}"
            self._enact(connection, fault)
        elif type(intents) is not int or intents < 0 or intents & ~ALL_INTENTS:
            refused = connection.refuse(4013, "invalid intents", says_op_9=False)
        elif intents & ~bot.intents:
            refused = connection.refuse(4014, "disallowed intents", says_op_9=False)
        elif not is_shard(shard):
            refused = connection.refuse(4010, "invalid shard", says_op_9=False)
        elif not self._may_start(bot.app_id):
            refused = connection.refuse(4008, "session start limit")
        else:
            session_id = self._begin(connection, bot, intents, (shard[0], shard[1]))
        app_id = "" if bot is None else bot.app_id
        return Login("identify", app_id, session_id, None, refused, self._world.now)

    def _begin(self, connection: Connection, bot: Bot, intents: int, shard: tuple[int, int]) -> str:
        self._starts[bot.app_id].append(self._world.now)
        self._prune()
        session = Session(self._world.ids.uuid(), bot.app_id, intents, shard)
        self._sessions[session.id] = session
        session.connection = connection
        ready = {
            "version": 1,
            "session_id": session.id,
            "user": {"id": bot.user_id, "username": bot.name, "bot": True, "status": 1},
            "shard": shard,
        }
        connection.send(session.number("READY", "", msgspec.json.encode(ready)))
        self._world.changes.publish("gateway", None)
        return session.id

    def _may_start(self, app_id: str) -> bool:
        starts = self._recent_starts(app_id)
        since = self._world.now - self.settings.identify_period
        crowd = sum(1 for start in starts if start > since) if self.settings.identify_period else 0
        return len(starts) < self.settings.session_total and crowd < self.settings.max_concurrency

    def _resume(self, connection: Connection, d: Json) -> Login:
        # One official client sends the bare token here (section 1.3).
        bot = self._tokens.bot_of(str(d.get("token", "")).removeprefix("QQBot "))
        session = self._sessions.get(str(d.get("session_id")))
        seq = d.get("seq")
        now = self._world.clock.monotonic()
        refused = ""
        if bot is None:
            refused = connection.refuse(4004, "authentication failed", says_op_9=False)
        elif fault := self._faults.hit("resume", app_id=bot.app_id):
            refused = f"fault: {fault.do}"
            self._enact(connection, fault)
        elif (
            session is None
            or session.app_id != bot.app_id
            or (session.connection is None and self._is_over(session, now))
        ):
            refused = connection.refuse(4006, "session no longer valid")
        elif type(seq) is not int or not session.covers(seq):
            refused = connection.refuse(4007, "invalid seq")
        else:
            if session.connection is not None:
                session.connection.close(4009, "resumed elsewhere")
            session.connection = connection
            for number, frame in session.history:
                if number > seq:
                    connection.send(frame)
            connection.send(session.number("RESUMED", "", b'""'))
            self._world.changes.publish("gateway", None)
        app_id = "" if bot is None else bot.app_id
        return Login("resume", app_id, str(d.get("session_id")), seq, refused, self._world.now)
