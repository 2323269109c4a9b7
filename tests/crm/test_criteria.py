"""The grammar of segments: what it refuses, and that PostgreSQL answers as plain Python would."""

import datetime as dt

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from accounts.models import Account
from crm.audiences import criteria
from crm.audiences.criteria import InvalidSegmentCriteria, boundaries, compiled
from tests.factories import AccountFactory, CustomerFactory

pytestmark = pytest.mark.django_db
TIERS = ("", "bronze", "gold")
PLACES = ("", "GB", "gb", "US")


def deep(times):
    return {"not": deep(times - 1)} if times else {"order_count": 1}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (5, "criteria"), ({}, "criteria"), ([], "criteria"), (None, "criteria"),
        ({"password": "x"}, "criteria.password"), ({"Loyalty_Tier": "gold"}, "criteria.Loyalty_Tier"),
        ({"account__users__password__startswith": "a"}, "criteria.account__users__password__startswith"),
        ({"attributes.": 1}, "criteria.attributes."), ({"attributes.a'b": 1}, "criteria.attributes.a'b"),
        ({"total_spent": {}}, "criteria.total_spent"), ({"total_spent": {"gte": "500"}}, "criteria.total_spent.gte"),
        ({"total_spent": {"gte": 0.001}}, "criteria.total_spent.gte"),
        ({"total_spent": {"gte": 10**40}}, "criteria.total_spent.gte"),
        ({"total_spent": {"exists": True}}, "criteria.total_spent.exists"),
        ({"total_spent": {"over": 1}}, "criteria.total_spent.over"),
        ({"order_count": True}, "criteria.order_count.eq"),
        ({"order_count": {"gte": None}}, "criteria.order_count.gte"),
        ({"order_count": {"gte": [1]}}, "criteria.order_count.gte"), ({"order_count": 1.5}, "criteria.order_count.eq"),
        ({"order_count": {"between": [5, 1]}}, "criteria.order_count.between"),
        ({"order_count": {"between": [1]}}, "criteria.order_count.between"),
        ({"last_order_days_ago": {"gte": -1}}, "criteria.last_order_days_ago.gte"),
        ({"last_order_days_ago": {"gte": 10**9}}, "criteria.last_order_days_ago.gte"),
        ({"loyalty_tier": "tin"}, "criteria.loyalty_tier.eq"),
        ({"loyalty_tier": {"in": "gold"}}, "criteria.loyalty_tier.in"),
        ({"loyalty_tier": {"in": ["gold", 1, None]}}, "criteria.loyalty_tier.in"),
        ({"loyalty_tier": {"in": []}}, "criteria.loyalty_tier.in"),
        ({"loyalty_tier": {"in": ["gold"] * 201}}, "criteria.loyalty_tier.in"),
        ({"email_opt_in": 1}, "criteria.email_opt_in.eq"), ({"country": {"exists": "yes"}}, "criteria.country.exists"),
        ({"tags": ""}, "criteria.tags.eq"), ({"tags": "a\0"}, "criteria.tags.eq"),
        ({"tags": {"contains": []}}, "criteria.tags.contains"),
        ({"attributes.x": None}, "criteria.attributes.x.eq"),
        ({"attributes.x": {"gt": "a"}}, "criteria.attributes.x.gt"),
        ({"any": []}, "criteria.any"), ({"any": {}}, "criteria.any"), ({"all": [{}]}, "criteria.all.0"),
        ({"any": [{"order_count": 1}, {"no": 1}]}, "criteria.any.1.no"), ({"not": []}, "criteria.not"),
        (deep(6), "criteria" + ".not" * 6),
        ({"all": [{"order_count": 1}] * 51}, "criteria.all.50.order_count.eq"),
    ],
)  # fmt: skip
def test_what_is_no_criteria_is_refused_by_its_path(given, path):
    with pytest.raises(InvalidSegmentCriteria) as refused:
        compiled(given, Account())

    assert list(refused.value.details) == [path]
    assert (refused.value.status, refused.value.code) == (400, "invalid_segment_criteria")


@pytest.mark.parametrize(("currency", "least", "kept"), [("JPY", 500, 500), ("USD", 500, 50_000), ("KWD", 0.125, 125)])
def test_money_is_read_in_the_accounts_currency(currency, least, kept):
    account = AccountFactory(currency=currency)

    _, params = compiled({"total_spent": {"gte": least}}, account)

    assert params == [kept]


def test_a_fraction_of_a_yen_is_no_amount():
    with pytest.raises(InvalidSegmentCriteria) as refused:
        compiled({"total_spent": {"gte": 0.5}}, AccountFactory(currency="JPY"))

    assert refused.value.details == {"criteria.total_spent.gte": ["An amount in JPY has no decimals."]}


@pytest.mark.parametrize("value", ["'; DROP TABLE crm_customer; --", "%d", "100%", "\\", "{x}", "é"])
@pytest.mark.parametrize("field", ["tags", "country", "attributes.note"])
def test_text_is_only_ever_a_parameter(field, value):
    kept = {"tags": {"tags": [value]}, "country": {}, "attributes.note": {"attributes": {"note": value}}}[field]
    anna = CustomerFactory(**kept)

    sql, _ = compiled({field: value}, anna.account)

    assert value not in sql
    assert found({field: value}) == ({anna.pk} if kept else set())


def found(asked):
    sql, params = compiled(asked, Account())
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT c.id FROM crm_customer c WHERE {sql}", params)
        return {row[0] for row in cursor.fetchall()}


def test_who_never_ordered_is_inactive_only_for_who_asks_so():
    never, long_ago = CustomerFactory(), CustomerFactory()
    type(never).objects.filter(pk=long_ago.pk).update(last_order_at=timezone.now() - dt.timedelta(days=31))

    assert found({"last_order_days_ago": {"gte": 30}}) == {long_ago.pk}
    assert found({"last_order_days_ago": {"exists": False}}) == {never.pk}
    assert found({"not": {"last_order_days_ago": {"lt": 30}}}) == {never.pk, long_ago.pk}


def test_the_ages_at_which_it_changes_its_mind_are_known():
    asked = {
        "last_order_days_ago": {"gte": 30, "nin": [2, 5]},
        "not": {"created_days_ago": {"between": [1, 7]}},
        "any": [{"last_order_days_ago": {"exists": True, "lte": 9}}, {"order_count": 1}],
    }

    orders = {("last_order_at", days) for days in (30, 2, 3, 5, 6, 10)}
    assert boundaries(asked) == orders | {("created_at", 1), ("created_at", 8)}


# A second reading of the grammar, over dictionaries.
PLAIN = {
    "eq": lambda x, y: x == y, "gt": lambda x, y: x > y, "gte": lambda x, y: x >= y, "lt": lambda x, y: x < y,
    "lte": lambda x, y: x <= y, "in": lambda x, y: x in y, "between": lambda x, y: y[0] <= x <= y[1],
    "contains": lambda x, y: y.lower() in x.lower(),
}  # fmt: skip


def holds(asked, person):
    return all(_holds(key, value, person) for key, value in asked.items())


def _holds(key, value, person):
    if key == "not":
        return not holds(value, person)
    if key in ("any", "all"):
        return (any if key == "any" else all)(holds(each, person) for each in value)
    return all(_says(key, op, operand, person.get(key)) for op, operand in value.items())


def _says(key, op, operand, has):
    if op in criteria.OPPOSITE:
        return not _says(key, criteria.OPPOSITE[op], operand, has)
    if op == "exists":
        return operand == (has not in (None, "", []))
    if key == "tags":
        return bool(set(has) & set(operand)) if op == "in" else operand in has
    if has in (None, "") or (key == "attributes.n" and not _alike(op, operand, has)):
        return False
    return PLAIN[op](has, operand)


def _alike(op, operand, has):
    if op in ("eq", "in"):
        return isinstance(has, bool) == isinstance(operand[0] if op == "in" else operand, bool)
    return isinstance(has, str) if op == "contains" else not isinstance(has, str | bool)


def two(values):
    return st.lists(values, min_size=2, max_size=2).map(sorted)


def ops(values, *names):
    made = {"in": st.lists(values, min_size=1, max_size=3), "exists": st.booleans(), "between": two(values)}
    made["nin"] = made["in"]
    return st.one_of(*(st.fixed_dictionaries({name: made.get(name, values)}) for name in names))


small = st.integers(0, 4)
ordered = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "between")
LEAF = st.one_of(
    st.fixed_dictionaries({"loyalty_tier": ops(st.sampled_from(TIERS[1:]), "eq", "ne", "in", "nin", "exists")}),
    st.fixed_dictionaries({"total_spent": ops(st.sampled_from([0, 0.5, 1, 2.25]), *ordered)}),
    st.fixed_dictionaries({"order_count": ops(small, *ordered)}),
    st.fixed_dictionaries({"last_order_days_ago": ops(small, *ordered, "exists")}),
    st.fixed_dictionaries({"created_days_ago": ops(small, *ordered)}),
    st.fixed_dictionaries({"tags": ops(st.sampled_from("ab"), "eq", "ne", "in", "nin", "exists", "contains")}),
    st.fixed_dictionaries({"country": ops(st.sampled_from(PLACES[1:]), "eq", "ne", "in", "nin", "exists", "contains")}),
    st.fixed_dictionaries({"attributes.n": ops(small, *ordered, "exists")}),
    st.fixed_dictionaries({"attributes.n": ops(st.sampled_from(["x", "xy"]), "eq", "ne", "contains")}),
    st.fixed_dictionaries({"attributes.n": ops(st.booleans(), "eq", "ne")}),
)
TREE = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=6,
).filter(lambda asked: str(asked).count("[{") + str(asked).count("'not'") < criteria.DEEPEST)
MISSING = object()


@pytest.fixture
def people():
    """A crowd in which every value meets every other kind of value, as rows and as dictionaries."""
    now, crowd = timezone.now(), {}
    for n in range(48):
        days, n_ = (None if n % 6 == 5 else n % 5), [MISSING, 0, 2, "x", "Xy", True, None, 3.5][n % 8]
        told = {"loyalty_tier": TIERS[n % 3], "country": PLACES[n % 4], "tags": [[], ["a"], ["a", "b"]][n // 3 % 3]}
        row = CustomerFactory(**told, attributes={} if n_ is MISSING else {"n": n_})
        at = {"last_order_at": None if days is None else now - dt.timedelta(days=days, hours=1)}
        at |= {"created_at": now - dt.timedelta(days=n % 4, hours=1)}
        type(row).objects.filter(pk=row.pk).update(total_spent_minor=n % 5 * 50, order_count=n % 4, **at)
        crowd[row.pk] = told | {
            "total_spent": n % 5 / 2, "order_count": n % 4, "last_order_days_ago": days, "created_days_ago": n % 4,
            "attributes.n": None if n_ is MISSING else n_,
        }  # fmt: skip
    return crowd


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(TREE)
@example({"not": {"any": [{"last_order_days_ago": {"between": [1, 2]}}, {"attributes.n": {"lt": 3}}]}})
def test_postgresql_finds_whom_plain_python_finds(people, asked):
    told = found(asked)

    assert told == {pk for pk, person in people.items() if holds(asked, person)}
    assert found({"not": asked}) == set(people) - told
