import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.onebot.cqcode import escape, escape_value, from_cq, to_cq, unescape
from onebridge.onebot.segments import Segment, merge_texts, text

VECTORS = [
    ("a&#91;b&#93;&amp;c,d", [text("a[b]&c,d")]),
    ("&amp;#91;", [text("&#91;")]),
    ("[CQ:at,qq=1] hi", [Segment("at", {"qq": "1"}), text(" hi")]),
    (
        "[CQ:share,title=a=b&#44;c,url=http://x/?a=1&amp;b=2]",
        [Segment("share", {"title": "a=b,c", "url": "http://x/?a=1&b=2"})],
    ),
    ("[CQ:image,file=base64://AA==]", [Segment("image", {"file": "base64://AA=="})]),
    ("[CQ:a][CQ:b]", [Segment("a", {}), Segment("b", {})]),
    ("x[CQ:unclosed", [text("x[CQ:unclosed")]),
    ("[CQ:x,]", [Segment("x", {})]),
    ("[CQ:a,b=1,b=2]", [Segment("a", {"b": "2"})]),
    ("[CQ:a,k=]", [Segment("a", {"k": ""})]),
    ("[CQ:a,k=x&#93;y]", [Segment("a", {"k": "x]y"})]),
    ("[CQ:a,k=x=y]", [Segment("a", {"k": "x=y"})]),
    ("[CQ:a,b]", [text("[CQ:a,b]")]),
    ("[CQ:a,=v]", [text("[CQ:a,=v]")]),
    ("[cq:a]", [text("[cq:a]")]),
    ("[CQ:]", [text("[CQ:]")]),
    ("[CQ: a]", [text("[CQ: a]")]),
    ("[CQ:表情]", [text("[CQ:表情]")]),
    ("[[CQ:a]]", [text("["), Segment("a", {}), text("]")]),
    ("a&#44;b", [text("a,b")]),
    ("&lt;&#34;", [text("&lt;&#34;")]),
    ("&#x5B;", [text("&#x5B;")]),
    ("", []),
    ("[CQ:shake]", [Segment("shake", {})]),
    ("[CQ:a,k=x[y]", [Segment("a", {"k": "x[y"})]),
    ("a\r\nb\rc", [text("a\nb\nc")]),
]
CANONICAL = [
    "[CQ:at,qq=1] hi",
    "[CQ:share,title=a=b&#44;c,url=http://x/?a=1&amp;b=2]",
    "[CQ:a][CQ:b]",
    "[CQ:a,k=]",
    "[CQ:a,k=x&#93;y]",
    "a&#91;b&#93;&amp;c,d",
    "&amp;#91;",
]


@pytest.mark.conformance(213, 214)
@pytest.mark.parametrize(("content", "segments"), VECTORS)
def test_vectors(content: str, segments: list[Segment]) -> None:
    assert from_cq(content) == segments


@pytest.mark.conformance(213)
@pytest.mark.parametrize("content", CANONICAL)
def test_canonical_strings_are_encoded_the_same(content: str) -> None:
    assert to_cq(from_cq(content)) == content


@pytest.mark.conformance(215)
def test_blanks_around_keys_are_tolerated_and_values_kept() -> None:
    assert from_cq("[CQ:face, id=1]") == [Segment("face", {"id": "1"})]
    assert from_cq("[CQ:a, k = x y ,l=]") == [Segment("a", {"k": " x y ", "l": ""})]


def test_a_code_after_a_broken_one_is_found() -> None:
    assert from_cq("[CQ:a,b,[CQ:c,d=1]x") == [
        text("[CQ:a,b,"),
        Segment("c", {"d": "1"}),
        text("x"),
    ]
    assert from_cq("[CQ:a,,]") == [text("[CQ:a,,]")]
    assert from_cq("][CQ:a]") == [text("]"), Segment("a", {})]


def test_nested_code_in_a_value_is_decoded_once() -> None:
    content = "[CQ:node,content=&#91;CQ:face&#44;id=1&#93;]"
    assert from_cq(content) == [Segment("node", {"content": "[CQ:face,id=1]"})]


def test_values_of_other_types() -> None:
    segment = Segment("a", {"n": 5, "t": True, "f": False, "none": None, "o": [{"k": "v"}]})
    assert to_cq([segment]) == '[CQ:a,n=5,t=1,f=0,o=&#91;{"k":"v"}&#93;]'


def test_text_of_a_user_cannot_become_a_code() -> None:
    written = to_cq([text("[CQ:at,qq=all]")])
    assert written == "&#91;CQ:at,qq=all&#93;"
    assert from_cq(written) == [text("[CQ:at,qq=all]")]


def test_a_hostile_string_takes_linear_time() -> None:
    # Quadratic readers take minutes for these.
    for hostile in ("[CQ:a,b=" * 200_000, "[CQ:a,b=" * 200_000 + ",!]", "]" * 500_000 + "[CQ:"):
        assert from_cq(hostile) == [text(hostile)]


names = st.text("abcXYZ019-_.", min_size=1)
contents = st.text().map(lambda content: content.replace("\r", ""))
codes = st.builds(
    Segment,
    names.filter(lambda name: name != "text"),
    st.dictionaries(names, contents, max_size=4),
)
messages = st.lists(st.one_of(codes, contents.map(text)))


@given(messages)
def test_round_trip(message: list[Segment]) -> None:
    assert from_cq(to_cq(message)) == merge_texts(message)


@given(st.text())
def test_escaping_is_undone(content: str) -> None:
    assert unescape(escape(content)) == content
    assert unescape(escape_value(content)) == content


@given(st.text("[CQ:a,b=]& \r\n"))
def test_no_string_breaks_it_or_loses_plain_text(content: str) -> None:
    parsed = from_cq(content)
    assert all(segment.type != "text" or segment.get("text") for segment in parsed)
    assert from_cq(to_cq(parsed)) == merge_texts(parsed)
