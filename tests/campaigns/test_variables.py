import pytest

from campaigns.values import by_number, check_values, hydrate, resolve, samples, value_fault
from campaigns.variables import CampaignVariableType, find, named, number, validate
from campaigns_project.refusals import Invalid

EVERY_NAME = list(CampaignVariableType.values)
BODY, URL, TITLE = "content_context.body", "content_context.actions.0.url", "content_context.actions.0.title"


def button(**fields):
    return {"body": "x", "actions": [{"type": "URL", "title": "Go", **fields}]}


def test_names_are_found_in_one_order_whatever_the_order_of_the_fields():
    content = {
        "actions": [{"url": "https://e.com/{{order_id}}", "title": "Go"}],
        "media": ["https://e.com/{{product_name}}"],
        "body": "Hi {{ lead_name }}, {{merchant_name}} and {{lead_name}} {one}",
        "unknown": {"amount": 5},
    }

    assert find(content) == ["lead_name", "merchant_name", "product_name", "order_id"]


@pytest.mark.parametrize(
    "body, reason",
    [
        ("Hi {{{lead_name}}}", "two braces"),
        ("Hi {{lead_name}}}", "two braces"),
        ("Hi {{}}", "empty"),
        ("Hi {{  }}", "empty"),
        ("Hi {{lead_name", "alone"),
        ("Hi }} there", "alone"),
        ("Hi {{ a {b} }}", "alone"),
        *((f"Hi {{{{{name}}}}}", "a variable is") for name in ("lead_name|safe", "lead.__class__", "lead\n_name")),
        *((f"Hi {{{{{name}}}}}", "a variable is") for name in ("１", "2147483648", "0", "__x__", "Lead", "a" * 65)),
    ],
)
def test_braces_without_a_proper_name_are_refused_with_their_place(body, reason):
    with pytest.raises(Invalid) as no:
        find({"body": body})

    assert no.value.details[BODY][0].startswith("At character 4: ")
    assert reason in no.value.details[BODY][0]


@pytest.mark.parametrize(
    "body, variables, numbered, stored",
    [
        ("Hi", None, "Hi", {}),
        ("Hi {{lead_name}}", None, "Hi {{1}}", {"1": "lead_name"}),
        ("{{b}} x {{ a }} y {{b}}", {}, "{{1}} x {{2}} y {{1}}", {"1": "b", "2": "a"}),
        ("Hi {{lead_name}}", {"1": "lead_name"}, "Hi {{1}}", {"1": "lead_name"}),
        ("{{ 2 }} x {{1}}", {"2": "b", "1": "a"}, "{{2}} x {{1}}", {"1": "a", "2": "b"}),
    ],
)
def test_a_content_is_numbered_and_its_names_come_back(body, variables, numbered, stored):
    content, by_key = number({"body": body}, variables)

    assert (content, list(by_key.items())) == ({"body": numbered}, list(stored.items()))
    assert number(named(content, by_key)) == number({"body": named(content, by_key)["body"]})


@pytest.mark.parametrize(
    "body, variables, paths",
    [
        ("Hi", {"1": "lead_name"}, ["variables"]),
        ("Hi {{lead_name}}", {"1": "order_id"}, ["variables"]),
        ("{{a}} {{b}}", {"1": "b", "2": "a"}, ["variables"]),
        ("Hi {{1}}", None, ["variables.1"]),
        ("Hi {{1}}", {"1": {"a": 1}}, ["variables.1"]),
        ("Hi {{1}}", {"1": "lead.name"}, ["variables.1"]),
        ("Hi {{1}}", {"1": "lead_name", "2": "order_id"}, ["variables.2"]),
        ("Hi {{1}}", ["lead_name"], ["variables"]),
        ("Hi {{1}} and {{3}}", {"1": "a", "3": "b"}, ["variables"]),
        ("Hi {{1}} and {{lead_name}}", {"1": "a"}, ["variables"]),
    ],
)
def test_a_map_that_does_not_fit_is_refused(body, variables, paths):
    with pytest.raises(Invalid) as no:
        number({"body": body}, variables)

    assert list(no.value.details) == paths


@pytest.mark.parametrize(
    "content, path, reason",
    [
        ({"body": "{{lead_name}}"}, BODY, "needs words"),
        ({"body": "x {{lead_name}} {{lead_phone}}"}, BODY, "side by side"),
        ({"body": "{{lead_name}}, {{lead_phone}}: a"}, BODY, "more variables"),
        ({"title": "{{lead_name}}!"}, "content_context.title", "needs words"),
        ({"title": "Hi", "subtitle": "for {{lead_name}}"}, "content_context.subtitle", "no variable here"),
        (button(title="Hi {{lead_name}}"), TITLE, "no variable here"),
        (button(phone="{{lead_phone}}"), "content_context.actions.0.phone", "no variable here"),
        (button(url="{{receipt_url}}"), URL, "after the host"),
        (button(url="https://{{lead_name}}.e.com/"), URL, "after the host"),
        (button(url="https://e.com{{lead_name}}"), URL, "after the host"),
        (button(url="https://e.com/{{lead_name}}/x"), URL, "at its end"),
        (button(url="https://e.com/{{lead_name}}-{{lead_phone}}"), URL, "at its end"),
        ({"media": ["{{receipt_url}}"]}, "content_context.media.0", "after the host"),
        ({"body": "Hi {{table}} there"}, BODY, "No active lead"),
        ({"body": "Order {{order_id}} is {{order_status}} now"}, BODY, "marketing"),
    ],
)
def test_a_variable_in_the_wrong_place_is_refused(content, path, reason):
    with pytest.raises(Invalid) as no:
        validate(*number(content), campaign_type="marketing")

    assert list(no.value.details) == [path]
    assert reason in no.value.details[path][0]


@pytest.mark.parametrize(
    "content, campaign_type",
    [
        ({"body": "Hi {{lead_name}}"}, "marketing"),
        ({"body": "Table {{table}} is free, {{lead_name}}"}, "marketing"),
        ({"body": "Order {{order_id}} is {{order_status}} now"}, "service"),
        (button(url="https://e.com/{{lead_name}}", id="{{lead_phone}}"), "marketing"),
        ({"media": ["https://e.com/{{lead_name}}/{{lead_phone}}.png"]}, "marketing"),
    ],
)
def test_a_proper_template_is_accepted(content, campaign_type):
    assert validate(*number(content), campaign_type=campaign_type, custom_keys={"table"}) is None


def test_values_are_kept_as_text_by_name():
    given = {"1": "Anna", "table": 4, "price": 2.5}

    assert check_values(given, variables={"1": "lead_name"}) == {
        "lead_name": "Anna",
        "table": "4",
        "price": "2.5",
    }


@pytest.mark.parametrize(
    "values, paths",
    [
        ([], ["v"]),
        ({f"a{index}": "" for index in range(101)}, ["v"]),
        ({"99": "x"}, ["v.99"]),
        ({"other": "x"}, ["v.other"]),
        ({5: "x"}, ["v.5"]),
        ({"1": "x", "lead_name": "y"}, ["v.lead_name"]),
        *(({"1": value}, ["v.1"]) for value in ("a\nb", "a\tb", "a    b", "a\x00", "\ud800", "\u2028", "a" * 1025)),
        *(({"1": value}, ["v.1"]) for value in (None, True, {}, [], float("nan"), float("inf"), 10**18)),
    ],
)
def test_values_that_whatsapp_or_we_refuse(values, paths):
    with pytest.raises(Invalid) as no:
        check_values(values, variables={"1": "lead_name"}, allowed=["lead_name"], field="v")

    assert list(no.value.details) == paths


def test_the_first_source_with_a_value_wins():
    values, missing = resolve(
        ["a", "b", "c", "d", "e"],
        lead={"a": "lead", "b": " ", "e": "\x00"},
        call={"a": "call", "b": "call"},
        model={"b": "model", "c": "Anna\n Maria"},
        defaults={"c": "default", "d": "default"},
    )

    assert values == {"a": "lead", "b": "call", "c": "Anna Maria", "d": "default"}
    assert missing == ["e"]


def test_hydrating_fills_in_once_and_names_what_is_missing():
    content, variables = number(
        {
            "body": "Hi {{lead_name}}, {{order_id}}: {{order_id}}",
            "actions": [{"url": "https://e.com/{{order_id}}", "n": 5}],
        }
    )

    filled, missing = hydrate(content, variables, {"lead_name": "{{order_id}}"})

    assert filled["body"] == "Hi {{order_id}}, {{order_id}}: {{order_id}}"
    assert missing == ["order_id"]
    assert hydrate(content, variables, {"lead_name": "A", "order_id": "7"}) == (
        {"body": "Hi A, 7: 7", "actions": [{"url": "https://e.com/7", "n": 5}]},
        [],
    )


def test_values_leave_by_number():
    assert by_number({"1": "lead_name"}, {"lead_name": "Anna", "other": "x"}) == {"1": "Anna"}


def test_every_name_has_a_sample_that_may_be_sent():
    shown = samples(dict(zip(EVERY_NAME, EVERY_NAME, strict=True)) | {"x": "table"}, {"lead_name": "Bo"})

    assert {name for name, value in shown.items() if value == name or value_fault(value)} == set()
    assert (shown["lead_name"], shown["x"]) == ("Bo", "table")
