"""Audiences as merchants see and make them; no page needs JavaScript."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.roles import Role
from campaigns_project import jobs
from crm.audiences import refreshing, segments
from crm.models import Customer, Segment
from crm.pages import segment_forms
from tests.factories import CustomerFactory, PromoFactory, SegmentFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
GOLD = {"name": "Gold", "match": "all", "1-field": "loyalty_tier", "1-op": "eq", "1-value": "gold"}


@pytest.fixture
def gold(api):
    CustomerFactory.create_batch(2, account=api.account, loyalty_tier="gold", first_name="Anna")
    segment = SegmentFactory(account=api.account, type="dynamic", name="Gold")
    refreshing.refresh(segment)
    return segment


@pytest.fixture
def friends(api):
    return SegmentFactory(account=api.account, name="Friends")


def text(answer):
    return answer.content.decode()


def at(segment):
    return f"/audiences/{segment.public_id}"


def test_an_audience_is_built_in_rows(api, page):
    CustomerFactory(account=api.account, loyalty_tier="gold")

    answer = page.post("/audiences/new", GOLD | {"act": "save"})

    made = Segment.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (303, at(made))
    assert (made.type, made.criteria, made.size) == ("dynamic", {"loyalty_tier": {"eq": "gold"}}, 1)
    assert "loyalty tier is gold" in text(page.get(at(made)))


def test_counting_shows_how_many_and_saves_nothing(page, gold):
    answer = page.post("/audiences/new", GOLD | {"act": "count"})

    assert "<b>2</b> people now" in text(answer)
    assert Segment.objects.count() == 1
    assert "<b>2</b> people now" in text(page.post("/audiences/preview", GOLD))
    assert "This must be one of" in text(page.post("/audiences/preview", GOLD | {"1-value": "tin"}))


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ({"1-field": "total_spent", "1-op": "gte", "1-value": "499.5"}, {"total_spent": {"gte": 499.5}}),
        ({"1-field": "order_count", "1-op": "between", "1-value": "1, 10"}, {"order_count": {"between": [1, 10]}}),
        ({"1-field": "email_opt_in", "1-op": "eq", "1-value": "Yes"}, {"email_opt_in": {"eq": True}}),
        ({"1-field": "country", "1-op": "exists", "1-value": "no"}, {"country": {"exists": False}}),
        ({"1-field": "tags", "1-op": "in", "1-value": "vip, 7"}, {"tags": {"in": ["vip", "7"]}}),
        ({"1-field": "attributes.", "1-name": "table", "1-op": "eq", "1-value": "7"}, {"attributes.table": {"eq": 7}}),
        (
            {"1-field": "attributes.", "1-name": "a b", "1-op": "contains", "1-value": "7"},
            {"attributes.a b": {"contains": "7"}},
        ),
        (
            {"match": "any", "1-field": "country", "1-op": "eq", "1-value": "GB", "3-field": "tags", "3-op": "eq",
             "3-value": "vip"},
            {"any": [{"country": {"eq": "GB"}}, {"tags": {"eq": "vip"}}]},
        ),
        (
            {"1-field": "country", "1-op": "eq", "1-value": "GB", "2-field": "tags", "2-op": "eq", "2-value": "vip"},
            {"all": [{"country": {"eq": "GB"}}, {"tags": {"eq": "vip"}}]},
        ),
        ({"words": '{"not": {"tags": "vip"}}'}, {"not": {"tags": "vip"}}),
    ],
)  # fmt: skip
def test_rows_say_the_grammar_and_are_filled_from_it_again(page, typed, asked):
    answer = page.post("/audiences/new", {"name": "A", "match": "all", "act": "save"} | typed)

    made = Segment.objects.get()
    assert (answer.status_code, made.criteria) == (303, asked)
    form = segment_forms.SegmentForm(name="A", asked=asked)
    again = {"name": "A", "match": form["match"].value(), "words": form["words"].value() or ""}
    again |= {f"{row.prefix}-{name}": row[name].value() or "" for row in form.rows for name in row.fields}
    assert segment_forms.SegmentForm(again).criteria == asked
    assert page.get(f"{at(made)}/edit").status_code == page.get(at(made)).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"1-field": ""}, "Give an object with at least one condition."),
        ({"1-field": "order_count", "1-value": "many"}, "order_count.eq: This must be a whole number"),
        ({"1-field": "order_count", "1-value": "nan"}, "order_count.eq: This must be a whole number"),
        ({"1-field": "email_opt_in", "1-value": "perhaps"}, "email_opt_in.eq: This must be true or false."),
        ({"words": "{"}, "The body is not valid JSON."),
        ({"name": ""}, "This field is required."),
        ({"2-field": "password"}, "row 2: This is no condition."),
    ],
)
def test_what_is_wrong_stands_in_the_form(page, wrong, said):
    answer = page.post("/audiences/new", GOLD | {"act": "save"} | wrong)

    assert answer.status_code == 400
    assert said in text(answer)
    assert not Segment.objects.exists()


def test_an_audience_nobody_can_reach_is_refused_in_the_form(api, page, gold):
    segments.limit(api.account, {"email": 1, "sms": 1, "push": 1})

    answer = page.post("/audiences/new", GOLD | {"act": "save"})

    assert (answer.status_code, Segment.objects.count()) == (400, 1)
    assert segments.SegmentTooLarge.message in text(answer)
    changed = page.post(f"{at(gold)}/edit", GOLD | {"act": "save", "name": "Other"})
    gold.refresh_from_db()
    assert (changed.status_code, gold.name) == (400, "Gold")


def test_criteria_are_changed_and_members_follow(api, page, gold):
    assert "<b>0</b> people now" in text(page.post(f"{at(gold)}/edit", GOLD | {"act": "count", "1-value": "silver"}))

    page.post(f"{at(gold)}/edit", GOLD | {"act": "save", "name": "Silver", "1-value": "silver"})

    gold.refresh_from_db()
    assert (gold.name, gold.size, gold.criteria) == ("Silver", 0, {"loyalty_tier": {"eq": "silver"}})


def test_people_are_added_by_hand_and_taken_out(api, page):
    anna = CustomerFactory(account=api.account, email="anna@example.test", external_id="c-1")
    ben = CustomerFactory(account=api.account, phone="+15550000002")
    made = page.post("/audiences/new?by=hand", {"name": "Friends", "by": "hand", "act": "save"}).headers["Location"]

    added = page.post(made, {"people": "ANNA@example.test\n\n+1 555 000 0002\nc-1\nnobody\n+1"}, follow=True)

    segment = Segment.objects.get()
    assert (segment.type, set(segments.members(segment))) == ("static", {anna, ben})
    assert "2 added. Nobody is called nobody, +1." in text(added)
    page.post(made, {"act": f"remove:{ben.public_id}"})
    assert list(segments.members(segment)) == [anna]
    assert page.post(made, {"people": ""}).status_code == 400
    assert page.get(f"{made}/edit").status_code == 200


def test_a_refresh_is_asked_for_and_freshness_is_shown(api, page, gold):
    CustomerFactory(account=api.account, loyalty_tier="gold")

    page.post(at(gold), {"act": "refresh"})
    jobs.run_due()

    gold.refresh_from_db()
    assert gold.size == 3
    assert "Right at" in text(page.get(at(gold)))


def test_an_audience_in_use_says_by_what_and_stays(api, page, friends):
    PromoFactory(account=api.account, code="FRIENDS", segment=friends)

    assert 'href="/promos/FRIENDS"' in text(page.get(at(friends)))
    assert page.post(at(friends), {"act": "delete"}).status_code == 409
    assert f'href="{at(friends)}"' in text(page.get("/promos/FRIENDS"))


def test_an_audience_that_nothing_uses_is_deleted(page, friends):
    assert page.post(at(friends), {"act": "delete"}).headers["Location"] == "/audiences"
    assert not Segment.objects.exists()


def test_a_file_makes_an_audience(api, page):
    CustomerFactory(account=api.account, email="anna@example.test")
    file = SimpleUploadedFile("a.csv", b"email\nanna@example.test\n", "text/csv")

    answer = page.post("/audiences/import", {"name": "Till", "file": file})
    jobs.run_due()

    assert answer.headers["Location"].startswith("/jobs/job_")
    assert Segment.objects.get().size == 1
    bad = SimpleUploadedFile("a.csv", b"name\nAnna\n", "text/csv")
    assert "The first line must name a column" in text(page.post("/audiences/import", {"name": "Till", "file": bad}))


def test_the_list_is_searched_and_empty_ones_say_what_to_do(page, gold, friends):
    assert "Friends" in text(page.get("/audiences"))
    assert "Friends" not in text(page.get("/audiences?q=gol"))
    assert "No audience is called that" in text(page.get("/audiences?q=x"))
    Segment.objects.all().delete()
    assert "No audiences yet" in text(page.get("/audiences"))


def test_a_promo_is_made_for_an_audience(page, friends):
    form = {"code": "FRIENDS", "type": "percentage", "value": "20", "segment": friends.public_id}

    page.post("/promos/new", form)

    assert friends.promos.get().code == "FRIENDS"


def test_who_may_only_look_changes_nothing(api, gold):
    onlooker = Client()
    onlooker.force_login(caller(Role.MARKETING, account=api.account).user)
    assert onlooker.get(at(gold)).status_code == 200
    assert Customer.objects.count() == 2
