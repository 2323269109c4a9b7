"""Shopify's GraphQL: what every answer proves, against answers it may give and against the sandbox."""

import asyncio
import json

import pytest
import requests

from providers.base import Accepted, Refused, Unknown, Unreachable
from providers.shopify import Creation, Shop, Shopify
from tests.canned import Canned, http
from tests.sandbox_process import free_port

SHOP = Shop("harbor", "shpat_fake")
TERMS = {"code": "A1", "title": "Autumn", "startsAt": "2026-11-01T00:00:00Z", "context": {"all": "ALL"},
         "customerGets": {"value": {"percentage": 0.1}, "items": {"all": True}}}  # fmt: skip
GONE = "gid://shopify/DiscountRedeemCodeBulkCreation/99"


def run(url, ask, shop=SHOP):
    async def asked():
        client = Shopify(url, timeout=2.0, connections=2)
        try:
            return await ask(client, shop)
        finally:
            await client.close()

    return asyncio.run(asked())


def said(document, status=200, **headers):
    return http(status, json.dumps(document).encode(), **headers)


def create(client, shop):
    return client.create(shop, TERMS)


def answered(answer, ask=create):
    with Canned(answer).open() as canned:
        return run(canned.url, ask), canned.asked


def made(mutation, document):
    return {"data": {mutation: {"userErrors": [], **document}}}


def errors(code, **more):
    return {"errors": [{"message": "no", "extensions": {"code": code}}], **more}


def test_a_discount_is_asked_for_in_shopifys_words():
    node = {"codeDiscountNode": {"id": "gid://shopify/DiscountCodeNode/1"}}

    outcome, (asked,) = answered(said(made("discountCodeBasicCreate", node)))

    assert outcome == Accepted("gid://shopify/DiscountCodeNode/1", "created")
    assert (asked.method, asked.target) == ("POST", "/admin/api/2026-10/graphql.json")
    assert asked.headers["X-Shopify-Access-Token"] == "shpat_fake"
    document = json.loads(asked.body)
    assert document["variables"] == {"discount": TERMS}
    assert "discountCodeBasicCreate(basicCodeDiscount: $discount)" in document["query"]
    assert "shpat" not in repr(SHOP)


COST = {"cost": {"requestedQueryCost": 60, "throttleStatus": {"currentlyAvailable": 10, "restoreRate": 100}}}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (said(errors("THROTTLED", extensions=COST)), Refused("THROTTLED", "no", True, 0.5, "slower")),
        (said(errors("THROTTLED")), Refused("THROTTLED", "no", True, 1.0, "slower")),
        (said(errors("ACCESS_DENIED")), Refused("ACCESS_DENIED", "no", True, None, "pause_connection")),
        (said(errors("undefinedField")), Refused("undefinedField", "no")),
        (said(errors("INTERNAL_SERVER_ERROR")), Unknown("no")),
        (said({"errors": "Not Found"}), Unknown("Not Found")),
        (said({"errors": [{"message": "no"}]}), Unknown("no")),
        (said({}, 429, Retry_After="2"), Refused("429", "", True, 2.0, "slower")),
        (said({}, 401), Refused("401", "The shop does not let us in.", True, None, "pause_connection")),
        (said({"data": {"discountCodeBasicCreate": {
            "codeDiscountNode": None, "userErrors": [{"code": "TAKEN", "message": "taken"}]}}}),
         Refused("TAKEN", "taken")),
    ],
)  # fmt: skip
def test_what_an_answer_means(answer, outcome):
    assert answered(answer)[0] == outcome


@pytest.mark.parametrize(
    "answer",
    [
        http(500, b"{}"),
        http(200, b"<html>"),
        said({"data": None}),
        said({"data": {}}),
        said({"data": {"discountCodeBasicCreate": {"userErrors": [], "codeDiscountNode": None}}}),
        said({"data": {"discountCodeBasicCreate": {"userErrors": ["x"]}}}),
    ],
)
def test_what_is_not_as_documented_proves_nothing(answer):
    assert isinstance(answered(answer)[0], Unknown)


def test_a_call_that_never_left_was_not_made_and_a_lost_answer_is_unknown():
    assert run(f"http://127.0.0.1:{free_port()}", create).code == "connect"
    assert isinstance(answered(None)[0], Unknown)


@pytest.mark.parametrize(
    "ask",
    [lambda client, shop: client.progress(shop, GONE), lambda client, shop: client.holders(shop, ["A"])],
    ids=["progress", "holders"],
)
@pytest.mark.parametrize(
    "answer",
    [said({}, 401), said(errors("THROTTLED")), http(500, b""), said({"data": {}}),
     said({"data": {"discountRedeemCodeBulkCreation": None, "c0": {"id": "x"}}})],
)  # fmt: skip
def test_a_question_without_an_answer_is_unreachable(ask, answer):
    with pytest.raises(Unreachable):
        answered(answer, ask)


# Against the sandbox.


@pytest.fixture
def url(sandbox):
    sandbox.settings(provider="shopify", approve_after_ms=0)
    return f"{sandbox.url}/shopify/{{shop}}"


def test_codes_are_added_in_the_background_and_refused_one_by_one(url, sandbox):
    discount = run(url, create).provider_id
    begun = run(url, lambda client, shop: client.add(shop, discount, ["B1", "a1", "REFUSE-ME"]))

    progress = run(url, lambda client, shop: client.progress(shop, begun.provider_id))

    taken = "Code must be unique. Please try a different code."
    assert progress == Creation(done=True, refused={"a1": taken, "REFUSE-ME": "Code is invalid."})
    assert [each["to"] for each in sandbox.log("shopify", key=discount)] == ["A1", "B1"]
    held = run(url, lambda client, shop: client.holders(shop, ["b1", "C1"]))
    assert held == {"b1": (discount, "Autumn")}
    elsewhere = run(url, lambda client, shop: client.holders(shop, ["B1"]), Shop("other", "shpat_x"))
    assert elsewhere == {}


def test_a_creation_takes_its_time(url, sandbox):
    discount = run(url, create).provider_id
    sandbox.settings(provider="shopify", approve_after_ms=60_000)

    begun = run(url, lambda client, shop: client.add(shop, discount, ["B1"]))

    assert not run(url, lambda client, shop: client.progress(shop, begun.provider_id)).done


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (create, "TAKEN"),
        (lambda client, shop: client.create(shop, {**TERMS, "title": ""}), "BLANK"),
        (lambda client, shop: client.create(shop, {**TERMS, "code": "refuse"}), "INVALID"),
        (lambda client, shop: client.add(shop, "gid://shopify/DiscountCodeNode/99", ["B"]), "INVALID"),
        (lambda client, shop: client.add(shop, "gid://shopify/DiscountCodeNode/1", ["B"] * 251), "MAX_COST_EXCEEDED"),
        (lambda client, _: client.create(Shop("harbor", "wrong"), TERMS), "401"),
    ],
)
def test_the_sandbox_refuses_what_shopify_does(url, ask, code):
    run(url, create)

    assert run(url, ask).code == code


def test_a_bucket_that_is_empty_throttles(url):
    holders = lambda client, shop: client.holders(shop, [f"C{n}" for n in range(250)])  # noqa: E731
    for _ in range(8):
        run(url, holders)

    with pytest.raises(Unreachable) as refusal:
        run(url, holders)

    assert (refusal.value.refused.code, 0 < refusal.value.refused.retry_after <= 60) == ("THROTTLED", True)


@pytest.mark.parametrize(
    ("fault", "kind"), [("lose_response", Unknown), ("status_500_accepted", Unknown), ("status_429", Refused)]
)
def test_the_sandbox_misbehaves_as_it_is_told_and_forgets_nothing(url, sandbox, fault, kind):
    sandbox.settings(provider="shopify", **{fault: 1.0})

    assert isinstance(run(url, create), kind)

    assert len(sandbox.log("shopify")) == (0 if fault == "status_429" else 1)
    sandbox.kill()
    sandbox.start()
    assert sandbox.summary("shopify")["accepted"] == (0 if fault == "status_429" else 1)


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        "[]",
        '{"query": "query { shop }"}',
        '{"query": "query { shop(id: $id) { id } }", "variables": {"id": 1}}',
    ],
)
def test_the_sandbox_answers_nonsense_with_errors(sandbox, body):
    answer = requests.post(
        f"{sandbox.url}/shopify/harbor/admin/api/2026-10/graphql.json",
        data=body,
        headers={"X-Shopify-Access-Token": "shpat_x"},
        timeout=5,
    )

    assert answer.json()["errors"]
