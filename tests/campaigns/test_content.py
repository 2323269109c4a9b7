import json
from copy import deepcopy
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from campaigns.content import body_of, clean, clean_language, clean_name, warnings, wire
from campaigns.content_types import CONTENT_TYPES, ContentType
from campaigns.values import samples
from campaigns.variables import number, validate
from campaigns_project.refusals import Invalid

TEXT, MEDIA, REPLY, LINKS, CARD = ContentType.values
LINK = {"type": "URL", "title": "Go", "url": "https://e.com/"}
CALL = {"type": "PHONE_NUMBER", "title": "Call", "phone": "+15550000001"}


@pytest.mark.parametrize("entry", CONTENT_TYPES, ids=ContentType.values)
def test_every_type_is_described_and_its_example_passes(entry):
    Draft202012Validator.check_schema(entry["schema"])
    content, variables = number(clean(entry["type"], entry["example"]))

    assert validate(content, variables, campaign_type="marketing") is None
    assert (warnings(content), list(samples(variables, {}))) == ([], list(variables))
    assert entry["variable_rules"]
    assert clean(entry["type"], entry["example"]) == entry["example"]


def test_a_content_is_tidied():
    dirty = {"body": "Cafe\u0301\r\nopen\rnow", "actions": [{"title": "Yes", "id": "1"}]}

    assert clean(REPLY, dirty) == {
        "body": "Café\nopen\nnow",
        "actions": [{"type": "QUICK_REPLY", "title": "Yes", "id": "1"}],
    }
    assert clean(LINKS, {"body": "x", "actions": [CALL | {"phone": "+1 (555) 000-0001"}]})["actions"] == [CALL]


def test_our_own_uploads_need_no_public_address():
    own = "http://127.0.0.1:8000/media/a.png"

    assert clean(MEDIA, {"media": [own]}, trusted=[own]) == {"media": [own]}


def replies(count, title="a{}"):
    return [{"title": title.format(index)} for index in range(count)]


@pytest.mark.parametrize(
    "kind, content, paths",
    [
        (TEXT, None, [""]),
        (TEXT, [], [""]),
        (TEXT, {}, [".body"]),
        (TEXT, {"body": "x", "footer": "y"}, [".footer"]),
        *((TEXT, {"body": body}, [".body"]) for body in ("", " \n", 5, None, ["x"])),
        *((TEXT, {"body": body}, [".body"]) for body in ("a" * 1025, "a\x00", "\ud800")),
        (LINKS, {"body": "a" * 641, "actions": [LINK]}, [".body"]),
        (REPLY, {"body": "x", "actions": replies(11)}, [".actions"]),
        (REPLY, {"body": "x", "actions": []}, [".actions"]),
        (REPLY, {"body": "x", "actions": replies(2, "Same")}, [".actions.1.title"]),
        (
            REPLY,
            {"body": "x", "actions": [{"title": "a" * 21}, {"titel": "x"}]},
            [".actions.0.title", ".actions.1.titel", ".actions.1.title"],
        ),
        (REPLY, {"body": "x", "actions": ["Yes"]}, [".actions.0"]),
        (REPLY, {"body": "x", "actions": [LINK]}, [".actions.0.type"]),
        (LINKS, {"body": "x", "actions": [{"title": "x"}]}, [".actions.0.type"]),
        (
            LINKS,
            {"body": "x", "actions": [{"type": "URL", "title": "x", "phone": "1"}]},
            [".actions.0.phone", ".actions.0.url"],
        ),
        (LINKS, {"body": "x", "actions": [LINK, LINK | {"title": "b"}, LINK | {"title": "c"}]}, [".actions"]),
        (LINKS, {"body": "x", "actions": [CALL, CALL | {"title": "b"}]}, [".actions"]),
        (LINKS, {"body": "x", "actions": [CALL | {"phone": "{{lead_phone}}"}]}, [".actions.0.phone"]),
        (
            LINKS,
            {"body": "x", "actions": [LINK | {"url": "http://127.0.0.1/{{order_id}}"}]},
            [".actions.0.url"],
        ),
        (MEDIA, {"media": ["http://db.internal/a.png"]}, [".media.0"]),
        (MEDIA, {"media": ["https://e.com/a", "https://e.com/b"]}, [".media"]),
        (MEDIA, {"body": "x"}, [".media"]),
        (CARD, {"title": "x"}, [""]),
        (CARD, {"title": "x", "subtitle": "a" * 61}, [".subtitle"]),
        (CARD, {"title": "x", "actions": [{"title": "Yes"}]}, [".actions.0.type"]),
    ],
)
def test_a_content_outside_its_schema_is_refused_with_the_place(kind, content, paths):
    before = deepcopy(content)
    with pytest.raises(Invalid) as no:
        clean(kind, content)

    assert sorted(no.value.details) == sorted(f"content_context{path}" for path in paths)
    assert all(len(sentence) < 200 for sentences in no.value.details.values() for sentence in sentences)
    assert content == before


@pytest.mark.parametrize("kind", ["twilio/hologram", "", None, ["twilio/text"]])
def test_an_unknown_type_is_refused(kind):
    with pytest.raises(Invalid) as no:
        clean(kind, {"body": "x"})

    assert list(no.value.details) == ["content_type"]


@pytest.mark.parametrize(
    "kind, content, body",
    [
        (TEXT, {"body": "Hi"}, "Hi"),
        (CARD, {"title": "Hi", "subtitle": "x"}, "Hi"),
        (MEDIA, {"media": ["x"]}, ""),
    ],
)
def test_the_first_text_stands_for_the_content(kind, content, body):
    assert body_of(kind, content) == body


@pytest.mark.parametrize("entry", CONTENT_TYPES, ids=ContentType.values)
def test_the_wire_form_is_what_twilio_published(entry):
    spec = json.loads((Path(__file__).parents[1] / "data" / "twilio_content_types.json").read_text())
    types = wire(entry["type"], entry["example"])

    assert types == {entry["type"]: entry["example"]}
    assert list(Draft202012Validator(spec).iter_errors(types)) == []


@pytest.mark.parametrize(
    "body, expected",
    [
        (
            "A *bold* word, _italics_ and ~gone~: 5 * 3, snake_case, {{lead_name}} https://e.com/_x_y now",
            None,
        ),
        ("see https://bit.ly/x", "shortened"),
        ("see https://wa.me/1555", "WhatsApp itself"),
        ("*bold", "A * for bold"),
        ("_it", "A _ for italics"),
        ("st~", "A ~ for strike-through"),
        ("a\n\n\n\n\nb", "one empty line"),
        ("a\tb", "tab"),
        ("{{lead_name}}, we have three words", "begins or ends"),
        ("We have three words, {{lead_name}}", "begins or ends"),
        ("Hi {{lead_name}}!", "so few words"),
    ],
)
def test_what_whatsapp_may_not_like_is_only_warned_of(body, expected):
    found = warnings({"body": body})

    assert (len(found), expected or "") == (
        bool(expected),
        expected if expected and expected in found[0] else "",
    )


def test_links_are_looked_at_everywhere():
    assert len(warnings({"body": "Hello there", "actions": [LINK | {"url": "https://bit.ly/x"}]})) == 1


@pytest.mark.parametrize("name", ["autumn", "Autumn sale", "a" * 200, "é", "<img src=x>", "=1+1"])
def test_a_name_reads_back_as_given(name):
    assert clean_name(name) == name


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x00", "a" * 201, 5, None, True, {"a": 1}])
def test_any_other_name_is_refused(name):
    with pytest.raises(Invalid, match="not valid") as no:
        clean_name(name)

    assert "without control characters" in no.value.details["name"][0]


@pytest.mark.parametrize("code, known", [("en", True), ("pt_BR", True), ("EN", False), ("xx", False), (5, False)])
def test_languages_are_those_of_whatsapp(code, known):
    if known:
        assert clean_language(code) == code
    else:
        with pytest.raises(Invalid):
            clean_language(code)
