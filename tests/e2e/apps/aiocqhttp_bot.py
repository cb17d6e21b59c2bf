"""An aiocqhttp bot as a user would write one; its port, token and secret are in its environment."""

import os

from aiocqhttp import CQHttp, Event, MessageSegment

bot = CQHttp(
    api_root=os.environ.get("API_ROOT"),
    access_token=os.environ["TOKEN"],
    secret=os.environ.get("SECRET"),
)


@bot.on_message
async def answer(event: Event) -> dict[str, object] | None:
    text = "".join(part["data"]["text"] for part in event.message if part["type"] == "text").strip()
    command, _, rest = text.partition(" ")
    if command == "/echo":
        await bot.send(event, rest)
    elif command == "/pic":
        image = MessageSegment.image(f"base64://{os.environ['PICTURE_BASE64']}")
        await bot.send(event, MessageSegment.text("here") + image)
    elif command == "/quick":
        # The quick operation: over HTTP POST it is the response, over WebSocket a hidden action.
        return {"reply": f"quick: {rest}", "at_sender": False}
    elif event.message and event.message[0]["type"] == "reply":
        quoted = await bot.get_msg(message_id=int(event.message[0]["data"]["id"]))
        quoted_text = "".join(
            part["data"]["text"] for part in quoted["message"] if part["type"] == "text"
        )
        await bot.send(
            event,
            MessageSegment.reply(event.message_id)
            + MessageSegment.text(f"you quoted: {quoted_text.strip()}"),
        )
    return None


@bot.server_app.get("/ready")
async def ready() -> str:
    return "ready"


if __name__ == "__main__":
    bot.run(host="127.0.0.1", port=int(os.environ["PORT"]), use_reloader=False, debug=False)
