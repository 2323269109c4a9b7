import datetime as dt

import pytest
from django.http import QueryDict

from campaigns_project import api
from campaigns_project.api.errors import flat

UTC = dt.UTC


def read(field, value, base=api.StrictSerializer):
    """(ok, value) or (False, the sentences)."""
    serializer = type("One", (base,), {"x": field})(data={"x": value})
    return serializer.validated_data["x"] if serializer.is_valid() else serializer.errors["x"][0].code


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (api.NameField(), "a\u202eb 👍🏿 <b>\"'{0}%s"),
        (api.NameField(), "=1+1"),
        (api.NameField(), "\ue000"),
        (api.NameField(), "x" * 200),
        (api.TextField(lines=True), "a\n\tb"),
        (api.IntegerField(), 2**63 - 1),
        (api.IntegerField(), -(2**63)),
        (api.NumberField(), 1.5),
        (api.BooleanField(), True),
        (api.ChoiceField(choices=["a"]), "a"),
        (api.ObjectField(), {"a": {"b": None}}),
        (api.RowsField(at_most=2), [1, None]),
    ],
)
def test_a_value_is_kept_as_it_is(field, value):
    assert read(field, value) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(api.NameField(), value) for value in ("", "   ", " ", "x" * 201, "a\nb", "a\tb", "a\r\nBcc: x", 5, True)],
        *[(api.NameField(), value) for value in ("\x1b[31m", "\x00", "\x85", "\u2028", None, {"a": 1}, ["a"])],
        (api.TextField(lines=True), "\x0b"),
        *[(api.IntegerField(), value) for value in (True, "1", 1.0, 2**63, -(2**63) - 1, None, [])],
        *[(api.NumberField(), value) for value in (True, "1.5", None)],
        *[(api.BooleanField(), value) for value in (1, 0, "true", None, [])],
        *[(api.ChoiceField(choices=["1", "a"]), value) for value in (1, "A", None, ["a"], True)],
        *[(api.MomentField(), value) for value in ("1999-12-31T23:59:59Z", "2101-01-01T00:00:00Z", 5, "now")],
        *[
            (api.MomentField(), value)
            for value in ("2026-01-01T00:00:00", "2026-02-30T00:00:00Z", "２026-01-01T00:00Z")
        ],
        *[(api.DayField(), value) for value in ("1899-12-31", "-2026-01-01", "20260101", "yesterday", 5, "2026-02-30")],
        *[(api.ObjectField(), value) for value in ([], "a", None)],
        *[(api.RowsField(at_most=2), value) for value in ([], [1, 2, 3], {}, "ab")],
        (api.CommaListField(child=api.IntegerField()), 5),
    ],
)
def test_a_value_of_another_kind_is_refused(field, value):
    assert isinstance(read(field, value), str)
    assert read(field, value) != value or not isinstance(value, str)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (api.NameField(), "e\u0301", "\u00e9"),
        (api.MomentField(), "2026-01-24T18:30:00+02:00", dt.datetime(2026, 1, 24, 16, 30, tzinfo=UTC)),
        (api.DayField(), "1900-01-01", dt.date(1900, 1, 1)),
    ],
)
def test_text_is_brought_into_one_form(field, value, expected):
    assert read(field, value) == expected


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        (api.IntegerField(), "-12", -12),
        (api.BooleanField(), "true", True),
        (api.BooleanField(), "false", False),
        (api.CommaListField(child=api.IntegerField()), "1,2", [1, 2]),
    ],
)
def test_a_query_reads_the_plain_spelling(field, text, expected):
    assert read(field, text, api.Query) == expected


@pytest.mark.parametrize("text", ["٣", "1e9", "+1", "01", " 1", "1_0", "", "99999999999999999999", "0x1", 5])
def test_a_query_refuses_other_spellings_of_a_number(text):
    assert isinstance(read(api.IntegerField(), text, api.Query), str)


@pytest.mark.parametrize("text", ["True", "1", "on", "", True])
def test_a_query_refuses_other_spellings_of_a_boolean(text):
    assert isinstance(read(api.BooleanField(), text, api.Query), str)


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("limit=1&limit=2", "limit"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("page=0", "page"),
        ("page=abc", "page"),
        ("page=99999999999999999999", "page"),
        ("type[]=a", "type[]"),
        ("merchant__users__password__startswith=a", "merchant__users__password__startswith"),
        ("page=1&cursor=a", "page"),
    ],
)
def test_a_list_refuses_what_it_does_not_document(query, wrong):
    serializer = api.ListQuery(data=QueryDict(query))

    assert not serializer.is_valid()
    assert list(serializer.errors) == [wrong]


def test_nested_errors_are_flattened_to_dotted_paths():
    errors = {"a": {"b": ["x"]}, "rows": {1: {"c": ["y", "z"]}}, "list": [{}, ["w"]], "non_field_errors": ["v"]}

    assert flat(errors) == {"a.b": ["x"], "rows.1.c": ["y", "z"], "list.1": ["w"], "body": ["v"]}
