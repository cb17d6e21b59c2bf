"""Plans in words."""

import pytest

from onebridge.config import DeliverySettings
from onebridge.errors import ActionError
from onebridge.keys import Scene
from onebridge.onebot.messages import parse_message
from onebridge.translate.explain import Explanation, Step, explain
from onebridge.translate.facts import WAYS


def explained(message: str, scene: Scene = Scene.GROUP, left: int = 5) -> Explanation:
    return explain(parse_message(message), scene, left=left, settings=DeliverySettings())


def test_uploads_come_before_posts() -> None:
    found = explained("看[CQ:image,file=base64://MQ==][CQ:record,file=a.silk]")
    assert found.steps == (
        Step("upload", "image", "base64://MQ=="),
        Step("upload", "voice", "a.silk"),
        Step("post", "file with caption", "看 + base64://MQ==", 1),
        Step("post", "file", "a.silk", 2),
    )
    assert (found.credits, found.missing) == (2, 0)


def test_what_has_no_reply_left_is_told() -> None:
    found = explained("[CQ:image,file=base64://MQ==][CQ:video,file=a.mp4]", left=1)
    assert [step.reply for step in found.steps if step.call == "post"] == [1, 0]
    assert (found.credits, found.missing) == (1, 1)


def test_pictures_that_become_markdown_are_not_uploaded() -> None:
    message = "".join(f"[CQ:image,file=https://a.example.com/{name}.png]" for name in "123")
    assert [step.call for step in explained(message, left=1).steps] == ["post"]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("[CQ:at,qq=10001]好", "an @ is shown in nothing else"),
        ("看 example.com", "links that are not registered"),
        ('[CQ:button,data=&#91;&#91;{"text":"好"}&#93;&#93;]', "keyboard"),
    ],
)
def test_says_why_text_becomes_markdown(message: str, why: str) -> None:
    found = explained(message)
    assert found.steps[0].kind == "markdown"
    assert any(why in note for note in found.notes)


def test_quotes_where_the_platform_can() -> None:
    assert explained("[CQ:reply,id=5]好").steps[0].quote == "message 5"


def test_embeds_and_pictures_in_guilds() -> None:
    message = [{"type": "embed", "data": {"title": "题"}}]
    found = explain(parse_message(message), Scene.CHANNEL, left=9, settings=DeliverySettings())
    assert found.steps[0].kind == "embed"
    assert explained("好[CQ:image,file=a.png]", Scene.DM).steps == (
        Step("post", "text with image", "好 + a.png", 1),
    )


@pytest.mark.parametrize("scene", list(Scene))
@pytest.mark.parametrize("segment_type", sorted(WAYS))
def test_every_segment_in_every_scene(segment_type: str, scene: Scene) -> None:
    """Each is carried, noted, or refused in words: nothing goes without one of them."""
    data = {
        "text": "字", "id": "1", "qq": "10001", "file": "a.png", "content": "字", "title": "题",
        "url": "https://a.example.com/", "data": [[{"text": "好"}]], "type": "163",
        "lat": "1", "lon": "2",
    }  # fmt: skip
    if segment_type in ("json", "markdown"):
        data["data"] = '{"prompt":"字","content":"字"}'
    message = parse_message([{"type": segment_type, "data": data}])
    try:
        found = explain(message, scene, left=5, settings=DeliverySettings())
    except ActionError as error:
        assert error.retcode in (1400, 1404)
        assert error.wording
    else:
        assert found.steps
