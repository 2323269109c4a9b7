import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns_project.api import parse_json, parsing
from campaigns_project.refusals import InvalidJSON

DEEP = b'{"a":' * 33 + b"1" + b"}" * 33


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"  \n",
        b"{",
        b"null",
        b'"S"',
        b"[]",
        b"{'name':'S'}",
        b'{"a":1,}',
        b'{"a":1,"a":2}',
        b'{"b":[{"a":1,"a":2}]}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":0x10}',
        b'{"a":01}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":-' + b"9" * 4300 + b"}",
        b'{"a":"\x01"}',
        b'{"a":"\\u0000"}',
        b'{"a":["x\\u0000"]}',
        b'{"\\u0000":1}',
        b'{"a":"\\ud800"}',
        b'{"a":{"b":"x\\udc00"}}',
        b"\xef\xbb\xbf{}",
        b'{"a":"\xff"}',
        '{"a":1}'.encode("utf-16"),
        DEEP,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":"' + b'\\"' * 100_000,
        b'{"a":' + b'"x\\' * 50_000,
    ],
)
def test_what_a_lenient_parser_lets_through_is_refused(raw):
    with pytest.raises(InvalidJSON):
        parse_json(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"{}", {}),
        (b'{"a":1.5e2,"b":-0,"c":"\\u00e9\\ud83d\\ude00"}', {"a": 150.0, "b": 0, "c": "é😀"}),
        (b'{"a":"\\\\u0000 [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[ \\" ]"}', {"a": "\\u0000 " + "[" * 37 + ' " ]'}),
        (b'{"a":' * 32 + b"1" + b"}" * 32, eval('{"a":' * 32 + "1" + "}" * 32)),
    ],
)
def test_json_is_read(raw, value):
    assert parse_json(raw) == value


def test_a_list_is_read_where_a_door_allows_any_value():
    assert parse_json(b"[1]", any_value=True) == [1]


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text('a":\\ {}[]\n\x00ü'))
OBJECTS = st.lists(st.tuples(st.sampled_from(["a", "b", ":", 'a":', "a :"]), SCALARS), max_size=3)
COLONS = st.sampled_from([":", ": ", " :", "\n:"])


@given(st.lists(OBJECTS, min_size=1, max_size=3), st.booleans(), COLONS, st.booleans())
def test_the_quick_way_reads_what_the_strict_one_reads_and_refuses_no_less(objects, many, colon, ascii_only):
    def written(value):
        return json.dumps(value, ensure_ascii=ascii_only)

    items = ["{" + ",".join(f"{written(key)}{colon}{written(value)}" for key, value in each) + "}" for each in objects]
    raw = (f"[{', '.join(items)}]" if many else items[0]).encode()

    if (quick := parsing._plain(raw)) is not None:
        strict = parsing._strict(raw)
        assert (quick, written(quick)) == (strict, written(strict))
