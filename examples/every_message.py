"""Send every kind of message to every kind of chat, and see what arrives.

An ordinary OneBot v11 application: one WebSocket, ``send_msg``, and the segments of
docs/messages.md. Start the bridge with its simulated platform, then this, then open the chat page::

    onebridge demo
    python examples/every_message.py

The bridge may only answer, so somebody has to write first. On the simulated platform this script
has them write. On the real one (``--wait 60``) it waits for people to write to the bot in a group,
in private, in a channel and in a guild's direct messages; a message is good for four or five
replies there, so choose with ``--only``.

The table that is printed has ``ok``, or the ``retcode`` of the refusal; the words follow below it.
"""

import argparse
import asyncio
import base64
import functools
import io
import itertools
import json
import math
import struct
import wave
from collections.abc import Iterable
from typing import Any

import aiohttp
import av
from PIL import Image, ImageDraw

SCENES = ("group", "c2c", "channel", "dm")
LINK = "https://example.com/a/page"
ASKER, OTHER = "小明", "老王"
"""Two people of the simulated platform."""

Segment = dict[str, Any]
Event = dict[str, Any]
Answer = dict[str, Any]


# The files: made here, sent as base64.


def picture(hue: int = 200) -> Image.Image:
    """A disc on a plain ground."""
    image = Image.new("RGB", (160, 96), f"hsl({hue}, 60%, 80%)")
    ImageDraw.Draw(image).ellipse((50, 18, 110, 78), fill=f"hsl({hue}, 70%, 45%)")
    return image


@functools.cache
def png(hue: int = 200) -> bytes:
    """The disc as a file."""
    out = io.BytesIO()
    picture(hue).save(out, "PNG")
    return out.getvalue()


@functools.cache
def wav() -> bytes:
    """A second of 440 Hz."""
    rate = 24_000
    samples = (int(9_000 * math.sin(math.tau * 440 * n / rate)) for n in range(rate))
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return out.getvalue()


@functools.cache
def mp4() -> bytes:
    """A second of the disc in changing colours."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for hue in range(0, 360, 30):
            frame = av.VideoFrame.from_bytes(picture(hue).convert("RGBA").tobytes(), 160, 96)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return out.getvalue()


def inline(content: bytes) -> str:
    """A file as the ``file`` of a segment."""
    return f"base64://{base64.b64encode(content).decode()}"


# The messages.


def segment(kind: str, **data: Any) -> Segment:
    """One segment."""
    return {"type": kind, "data": data}


def text(content: str) -> Segment:
    """A text segment."""
    return segment("text", text=content)


def image(hue: int = 200) -> Segment:
    """An image segment."""
    return segment("image", file=inline(png(hue)))


def node(name: str, *content: Segment) -> Segment:
    """One message of a merged forward."""
    return segment("node", user_id="10001", nickname=name, content=list(content))


BUTTON = {
    "id": "1",
    "render_data": {"label": "Press", "visited_label": "Pressed", "style": 1},
    "action": {"type": 2, "permission": {"type": 2}, "data": "/pressed"},
}
KEYBOARD = segment("keyboard", content={"rows": [{"buttons": [BUTTON]}]})
CARD = json.dumps({"prompt": "A card", "meta": {"news": {"title": "A page", "jumpUrl": LINK}}})
LONG = "".join(f"Line {number}: 长一点的文字，按行和句子分开。\n" for number in range(1, 301))


def messages(event: Event, other: Event) -> dict[str, list[Segment]]:
    """Every kind, to answer a message with; ``other`` is one that somebody else wrote there."""
    asker, another = str(event["user_id"]), str(other["user_id"])
    yes_or_no = [{"text": "Yes", "callback": "/yes"}, {"text": "No", "input": "No"}]
    return {
        "text": [text("Hello, 你好 👋")],
        "long text": [text(LONG)],
        "link": [text(f"Look at {LINK} please")],
        "at asker": [segment("at", qq=asker), text(" it is you")],
        "at another": [segment("at", qq=another), text(" and you")],
        "at all": [segment("at", qq="all"), text(" listen")],
        "reply": [segment("reply", id=str(event["message_id"])), text("Quoted")],
        "image": [image()],
        "image and text": [text("A disc:"), image()],
        "images and text": [text("Red"), image(0), text("Green"), image(120)],
        "cardimage": [segment("cardimage", file=inline(png(280)))],
        "record": [segment("record", file=inline(wav()))],
        "video": [segment("video", file=inline(mp4()))],
        "file": [segment("file", file=inline(b"Notes\n"), name="notes.txt")],
        "face": [segment("face", id="14"), text(" a smile")],
        "markdown": [segment("markdown", content="# Title\n\n**bold** *thin*")],
        "keyboard": [segment("markdown", content="Press:"), KEYBOARD],
        "button": [text("Press:"), segment("button", data=yes_or_no)],
        "embed": [segment("embed", title="Weather", fields=[{"name": "Sunny, 21 °C"}])],
        "forward": [
            node("Ming", text("Who has the key?")),
            node("Wang", text("This one: "), image(60)),
        ],
        "share": [segment("share", url=LINK, title="A page")],
        "music": [segment("music", type="custom", url=LINK, title="A song")],
        "json with address": [segment("json", data=CARD)],
        "json": [segment("json", data='{"prompt": "A card"}')],
        "xml": [segment("xml", data="<msg brief='A card'/>")],
        "ark": [segment("ark", template_id=23, kv=[])],
        "location": [segment("location", lat="39.9", lon="116.4", title="北京")],
        "contact": [segment("contact", type="qq", id="10001")],
        "tts": [segment("tts", text="Read aloud")],
        "mface": [segment("mface", emoji_id="1", summary="[开心]")],
        "longmsg": [segment("longmsg", id="1")],
        "poke": [segment("poke", qq=asker)],
        "dice": [segment("dice")],
        "rps": [segment("rps")],
        "shake": [segment("shake")],
        "anonymous": [segment("anonymous"), text("Who am I?")],
        "gift": [segment("gift", qq=asker, id="1")],
    }


KINDS = tuple(messages({"user_id": 0, "message_id": 0}, {"user_id": 0}))


# The application.


def scene_of(event: Event) -> str:
    """Where a message was written: ``qq`` of an event tells guilds from groups."""
    if event["message_type"] == "group":
        return "channel" if event["qq"].get("channel_id") else "group"
    return "dm" if event["qq"].get("guild_id") else "c2c"


class Application:
    """One WebSocket to the bridge: messages in, actions out."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.heard: dict[str, asyncio.Queue[Event]] = {scene: asyncio.Queue() for scene in SCENES}
        """Messages that nobody has looked at yet."""
        self._socket = socket
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._echoes = itertools.count(1)

    async def read(self) -> None:
        """Take in events and answers until the connection ends."""
        async for frame in self._socket:
            said = frame.json()
            if "echo" in said:
                self._answers.pop(said["echo"]).set_result(said)
            elif said["post_type"] == "message":
                self.heard[scene_of(said)].put_nowait(said)
        raise SystemExit("the bridge closed the connection")

    async def send(self, event: Event, message: list[Segment]) -> Answer:
        """``send_msg`` to where an event came from; the whole answer."""
        echo = next(self._echoes)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[echo] = answer
        params: dict[str, Any] = {"message": message}
        for key in ("message_type", "group_id", "user_id"):
            params[key] = event.get(key)
        await self._socket.send_json({"action": "send_msg", "params": params, "echo": echo})
        return await answer


class SimulatedPeople:
    """Those of the simulated platform, who write what they are told (docs/sandbox.md)."""

    def __init__(
        self, session: aiohttp.ClientSession, sandbox: str, application: Application
    ) -> None:
        self._session = session
        self._url = f"{sandbox}/control/say"
        self._application = application

    async def write(self, scene: str, words: str, user: str) -> Event:
        """Somebody writes; the message as the bridge reports it."""
        in_public = scene in ("group", "channel")
        said = {"scene": scene, "text": words, "user": user, "at_bot": in_public}
        async with self._session.post(self._url, json=said) as answer:
            answer.raise_for_status()
        async with asyncio.timeout(10):
            while words not in (event := await self._application.heard[scene].get())["raw_message"]:
                pass
        return event


async def try_scene(
    scene: str, kinds: Iterable[str], application: Application, people: SimulatedPeople
) -> dict[str, Answer]:
    """Send each kind in answer to a message of its own."""
    in_public = scene in ("group", "channel")
    other = await people.write(scene, "/hello", OTHER) if in_public else None
    answers = {}
    for kind in kinds:
        event = await people.write(scene, f"/{kind}", ASKER)
        answers[kind] = await application.send(event, messages(event, other or event)[kind])
    return answers


async def try_scene_with_people(
    scene: str, kinds: Iterable[str], application: Application, wait: float
) -> dict[str, Answer]:
    """Wait for somebody to write, then send each kind; nothing if nobody does."""
    try:
        async with asyncio.timeout(wait):
            event = await application.heard[scene].get()
    except TimeoutError:
        return {}
    return {kind: await application.send(event, messages(event, event)[kind]) for kind in kinds}


async def try_all(options: argparse.Namespace) -> dict[str, dict[str, Answer]]:
    """Scene → kind → answer; the scenes at the same time."""
    headers = {"Authorization": f"Bearer {options.token}"} if options.token else {}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(options.url, headers=headers, max_msg_size=0) as socket,
        asyncio.TaskGroup() as tasks,
    ):
        application = Application(socket)
        people = SimulatedPeople(session, options.sandbox, application)
        reading = tasks.create_task(application.read())
        async with asyncio.TaskGroup() as scenes:
            trying = {
                scene: scenes.create_task(
                    try_scene_with_people(scene, options.only, application, options.wait)
                    if options.wait
                    else try_scene(scene, options.only, application, people)
                )
                for scene in SCENES
            }
        reading.cancel()
    return {scene: task.result() for scene, task in trying.items()}


def table(kinds: Iterable[str], answers: dict[str, dict[str, Answer]]) -> Iterable[str]:
    """The lines to print: kind × scene, then the words of each refusal."""
    yield f"{'':18}" + "".join(f"{scene:>9}" for scene in SCENES)
    refusals = []
    for kind in kinds:
        cells = []
        for scene in SCENES:
            answer = answers[scene].get(kind)
            if answer is None:
                cells.append("-")
            elif answer["status"] == "failed":
                cells.append(str(answer["retcode"]))
                refusals.append(f"{kind}, {scene}: {answer['wording']}")
            else:
                cells.append(answer["status"])
        yield f"{kind:18}" + "".join(f"{cell:>9}" for cell in cells)
    yield ""
    yield from refusals


def main() -> None:
    """Send, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", default="ws://127.0.0.1:5700/", help="the bridge's WebSocket")
    parser.add_argument("--token", default="", help="its access_token")
    parser.add_argument(
        "--sandbox", default="http://127.0.0.1:9000", help="the simulated platform of the bridge"
    )
    parser.add_argument(
        "--wait", type=float, default=0.0, help="seconds that people have to write: a real platform"
    )
    parser.add_argument(
        "--only", nargs="+", choices=KINDS, default=KINDS, metavar="KIND",
        help=f"some of: {', '.join(KINDS)}",
    )  # fmt: skip
    options = parser.parse_args()
    if options.wait:
        print("Write to the bot in a group (with an @), in private, in a channel, in a guild's DM.")
    answers = asyncio.run(try_all(options))
    print("\n".join(table(options.only, answers)))
    if not options.wait:
        print(f"What arrived: {options.sandbox}/chat/")


if __name__ == "__main__":
    main()
