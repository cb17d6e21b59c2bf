"""The table of actions, and the documents that are made from it."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from onebridge.bridge.actions.dispatch import Name, read_name, refuse
from onebridge.bridge.actions.impossible import IMPOSSIBLE
from onebridge.bridge.actions.table import ROWS, TABLE
from onebridge.bridge.openapi import document
from onebridge.bridge.openapi_page import POLICY, STYLE, page
from onebridge.onebot.actions import Retcode

CJK = re.compile("[\u4e00-\u9fff]")


def test_names_are_unique() -> None:
    assert len(TABLE) == len(ROWS)
    assert not set(TABLE) & set(IMPOSSIBLE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_rows_are_complete(row: Any) -> None:
    assert row.doc.endswith(".")
    names = [name for param in row.params for name in (param.name, *param.aliases)]
    assert len(names) == len(set(names))
    assert all(param.doc for param in row.params)


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_reasons_are_given_in_both_languages(name: str) -> None:
    zh, en = IMPOSSIBLE[name]
    assert CJK.search(zh)
    assert en.isascii()
    answer = refuse(f"{name}_async", name)
    assert (answer.retcode, answer.unknown_action) == (Retcode.UNSUPPORTED, False)
    assert zh in answer.wording
    assert en in answer.wording


@pytest.mark.parametrize(
    "name",
    # Optional in onebot11.md section 3, or of CQHTTP, and not served.
    [
        *("upload_file_stream", "download_file_stream", "clean_stream_temp_file"),
        *("download_file_image_stream", "download_file_record_stream", "get_event"),
        *("_get_friend_list", "_get_group_info", "_get_vip_info", ".check_update"),
    ],
)
def test_names_that_others_know_are_not_unknown(name: str) -> None:
    assert not refuse(name, name).unknown_action


def test_an_unknown_name_is_not_found() -> None:
    answer = refuse("foo_async", "foo")
    assert (answer.retcode, answer.unknown_action) == (Retcode.UNSUPPORTED, True)
    assert "foo_async" in answer.wording


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("send_msg", Name("send_msg", "")),
        ("send_msg_async", Name("send_msg", "_async")),
        ("send_msg_rate_limited", Name("send_msg", "_rate_limited")),
        (".handle_quick_operation_async", Name(".handle_quick_operation", "_async")),
        ("_async", Name("", "_async")),
        ("send_msg_async_async", Name("send_msg_async", "_async")),
    ],
)
def test_suffixes(asked: str, expected: Name) -> None:
    assert read_name(asked) == expected


def test_other_names_of_params_are_told() -> None:
    operation = document()["paths"]["/get_forward_msg"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["id"]["x-aliases"] == [
        "message_id",
        "forward_id",
        "res_id",
        "resid",
    ]
    assert "<code>forward_id</code>" in page(document())


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [ref for item in value.values() for ref in references(item)]
    if isinstance(value, list):
        return [ref for item in value for ref in references(item)]
    return []


def test_the_document_has_every_action() -> None:
    made = document()
    assert made["openapi"].startswith("3.1")
    assert set(made["paths"]) == {f"/{name}" for name in (*TABLE, "get_updates")}
    assert set(made["x-impossible"]) == set(IMPOSSIBLE)


def test_the_document_describes_params_and_answers() -> None:
    operation = document()["paths"]["/get_msg"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["message_id"]
    assert body["properties"]["message_id"]["type"] == "integer"
    answers = operation["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"]
    assert "real_id" in answers[0]["properties"]["data"]["properties"]


def test_references_lead_somewhere() -> None:
    made = document()
    for reference in references(made):
        place: Any = made
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert place


class Tags(HTMLParser):
    """What a page consists of."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_needs_nothing_else() -> None:
    made = page(document())
    tags = Tags()
    tags.feed(made)
    assert not {"script", "link", "img", "iframe", "form", "a"} & {tag for tag, _ in tags.found}
    assert not any(name.startswith("on") for _, attributes in tags.found for name in attributes)
    assert not any("style" in attributes for _, attributes in tags.found)
    assert "default-src 'none'" in POLICY
    assert f"<style>{STYLE}</style>" in made


def test_the_page_shows_every_action() -> None:
    made = page(document())
    assert all(f"<code>{name}</code>" in made for name in (*TABLE, *IMPOSSIBLE))


def test_the_page_escapes() -> None:
    made = document()
    made["paths"]["/get_msg"]["post"]["summary"] = "<script>alert(1)</script>"
    assert "<script" not in page(made)
