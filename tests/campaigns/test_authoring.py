"""Templates: one living head a name, versions in a row, built-ins that are never taken from their merchant."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError

from campaigns import authoring, content, media, succession
from campaigns.library import DEFAULT_CAMPAIGNS, DEFAULT_COMMERCE_CAMPAIGNS
from campaigns.models import Campaign, CampaignLead
from campaigns_project.refusals import Invalid
from lifecycle.moving import rows_moved
from lifecycle.transition import TransitionNotAllowed
from tests.factories import (
    AccountFactory,
    BroadcastFactory,
    CampaignFactory,
    CampaignLeadFactory,
    UserFactory,
    in_state,
)
from tests.providers.test_images import picture

pytestmark = pytest.mark.django_db
BODY = {"body": "Hi {{lead_name}}, we are open again."}
PICTURE = picture("PNG")


def write(account, **fields):
    given = {"name": "autumn", "content_type": "twilio/text", "content_context": BODY, "campaign_type": "marketing"}
    return authoring.create(account, by=None, **given | fields)


def revise(campaign, **fields):
    return authoring.new_version(campaign, by=UserFactory(), **fields)


def upload():
    return SimpleUploadedFile("../../x.png", PICTURE, "image/png")


def stored(campaign):
    merchant, version, name = campaign.media_file.split("/")
    with media.open_media(campaign.account, int(merchant), int(version), name).file as file:
        return file.read()


def test_a_template_is_stored_numbered_and_shown_by_name():
    user = UserFactory()
    campaign = authoring.create(
        AccountFactory(),
        by=user,
        name="autumn",
        content_type="twilio/text",
        content_context=BODY,
        campaign_type="marketing",
        variable_defaults={"lead_name": "there"},
    )

    kept = Campaign.objects.get(pk=campaign.pk)
    assert (kept.content_context, kept.variables) == ({"body": "Hi {{1}}, we are open again."}, {"1": "lead_name"})
    assert (kept.body, kept.variable_defaults) == (BODY["body"], {"lead_name": "there"})
    assert (kept.status, kept.author_type, kept.created_by_id) == ("unsubmitted", "merchant", user.pk)


@pytest.mark.parametrize(
    "fields, path",
    [
        ({"campaign_type": "newsletter"}, "campaign_type"),
        ({"campaign_type": ["marketing"]}, "campaign_type"),
        ({"language": "klingon"}, "language"),
        ({"name": " "}, "name"),
        ({"content_context": {"body": "Order {{order_id}} is here."}}, "content_context.body"),
        ({"content_context": {"body": "Your {{colour}} is here."}}, "content_context.body"),
        ({"variable_defaults": {"lead_name": "a\nb"}}, "variable_defaults.lead_name"),
    ],
)
def test_a_template_that_cannot_be_is_refused_with_the_place(fields, path):
    with pytest.raises(Invalid) as refusal:
        write(AccountFactory(), **fields)

    assert list(refusal.value.details) == [path]


def test_a_variable_of_ones_own_needs_a_default_or_a_lead_that_carries_it():
    body = {"body": "Your {{colour}} is here."}
    assert write(AccountFactory(), content_context=body, variable_defaults={"colour": "red"}).variables == {
        "1": "colour"
    }

    campaign = CampaignLeadFactory(custom_variables={"colour": "blue"}).campaign
    assert revise(campaign, content_context=body).variables == {"1": "colour"}


def test_a_name_is_taken_by_its_living_head_in_the_same_language_only():
    account = AccountFactory()
    first = write(account)

    with pytest.raises(authoring.NameTaken):
        write(account)

    write(account, language="de")
    write(AccountFactory())
    authoring.archive(first, by=None)
    write(account)


def test_only_the_name_is_told_as_taken():
    with pytest.raises(IntegrityError):
        raise authoring._taken(IntegrityError("another constraint"))


def test_an_upload_becomes_the_media_of_its_template():
    campaign = write(AccountFactory(), content_type="twilio/media", upload=upload())

    assert campaign.content_context["media"] == [media.address(campaign.media_file)]
    assert campaign.media_file.startswith(f"{campaign.account_id}/{campaign.pk}/")
    assert stored(campaign) == PICTURE


def test_a_refused_template_leaves_no_upload_behind(private_files):
    with pytest.raises(Invalid):
        write(AccountFactory(), content_type="twilio/media", content_context={"body": "{{"}, upload=upload())

    assert [path for path in private_files.rglob("*") if path.is_file()] == []


def test_a_new_version_inherits_what_it_is_not_given():
    first = write(AccountFactory(), content_type="twilio/media", upload=upload(), variable_defaults={"lead_name": "x"})

    second = revise(first)

    same = (
        "name",
        "language",
        "content_type",
        "content_context",
        "variables",
        "variable_defaults",
        "media_file",
        "body",
    )
    assert [getattr(second, field) for field in same] == [getattr(first, field) for field in same]
    assert list(Campaign.objects.versions_of(first)) == [first, second]
    assert (Campaign.objects.get(pk=first.pk).next_campaign_id, second.is_head) == (second.pk, True)


def test_a_new_version_may_change_everything_but_its_name():
    second = revise(
        write(AccountFactory()),
        content_type="twilio/media",
        content_context={"body": "Order {{order_id}} left."},
        campaign_type="service",
        variable_defaults={"order_id": "42"},
        upload=upload(),
    )

    assert (second.campaign_type, second.variables, stored(second)) == ("service", {"1": "order_id"}, PICTURE)


@pytest.mark.parametrize("spoil", [revise, lambda campaign: authoring.archive(campaign, by=None)])
def test_only_a_living_head_gets_a_new_version(spoil):
    campaign = write(AccountFactory())
    spoil(campaign)

    with pytest.raises(authoring.NotTheNewestVersion):
        revise(campaign)


@pytest.mark.parametrize("commerce, count", [(True, 23), (False, 5)])
def test_an_account_starts_with_the_built_in_templates(commerce, count):
    account = AccountFactory(commerce=commerce)

    made = authoring.onboard(account)

    assert {campaign.name for campaign in made} == {
        each["name"] for each in [*DEFAULT_CAMPAIGNS, *DEFAULT_COMMERCE_CAMPAIGNS * commerce]
    }
    assert len(made) == count
    assert {(campaign.author_type, campaign.campaign_type) for campaign in made} == {("system", "service")}
    assert authoring.onboard(account) == made


def test_some_built_ins_may_be_picked_and_unknown_ones_are_named():
    account = AccountFactory(commerce=False)

    assert [each.name for each in authoring.create_default_templates(account, ["hello_world"])] == ["hello_world"]
    with pytest.raises(Invalid) as refusal:
        authoring.create_default_templates(account, ["hello_world", "low_stock"])
    assert list(refusal.value.details) == ["campaign_names"]


def hello(account):
    return authoring.create_default_templates(account, ["hello_world"])[0]


def test_a_merchants_own_wording_is_kept_and_stays_a_service_template():
    account = AccountFactory()
    mine = revise(hello(account), content_context=BODY)

    assert (hello(account), mine.author_type, mine.campaign_type) == (mine, "merchant", "service")
    with pytest.raises(Invalid) as refusal:
        revise(mine, campaign_type="marketing")
    assert list(refusal.value.details) == ["campaign_type"]


def reworded(monkeypatch):
    definition = DEFAULT_CAMPAIGNS[0] | {"content_context": BODY, "variable_defaults": {"lead_name": "you"}}
    monkeypatch.setattr(authoring, "DEFAULT_CAMPAIGNS", [definition])


def test_a_built_in_nobody_has_seen_is_reworded_in_place(monkeypatch):
    old = hello(AccountFactory())
    reworded(monkeypatch)

    new = hello(old.account)

    assert (new, new.body, new.variable_defaults) == (old, BODY["body"], {"lead_name": "you"})


def test_a_built_in_that_was_submitted_is_reworded_as_a_new_version(monkeypatch):
    old = in_state(hello(AccountFactory()), "approved")
    reworded(monkeypatch)

    new = hello(old.account)

    assert (new.pk != old.pk, new.author_type, new.body) == (True, "system", BODY["body"])
    assert Campaign.objects.get(pk=old.pk).next_campaign == new


def test_only_an_approved_template_is_switched_on():
    campaign = CampaignFactory(status="pending")
    with pytest.raises(authoring.TemplateNotApproved) as refusal:
        authoring.enable(campaign, by=None)
    assert refusal.value.details == {"status": "pending"}

    campaign.approve(enabled_at=None)
    assert authoring.enable(campaign, by=None).enabled_at
    assert authoring.disable(campaign, by=None).enabled_at is None


@pytest.mark.parametrize("status", ["scheduled", "sending", "paused"])
def test_a_template_in_use_is_not_put_away(status):
    campaign = BroadcastFactory(status=status).campaign

    with pytest.raises(authoring.BroadcastOpen):
        authoring.archive(campaign, by=None)


@pytest.mark.parametrize("status", ["draft", "completed", "cancelled"])
def test_a_template_that_nothing_sends_is_put_away_once(status):
    campaign = BroadcastFactory(status=status).campaign
    authoring.archive(campaign, by=UserFactory(), reason="old")

    assert (campaign.status, campaign.enabled_at) == ("archived", None)
    with pytest.raises(TransitionNotAllowed):
        authoring.archive(campaign, by=None)


def approved_successor(campaign):
    return in_state(revise(campaign, content_context=BODY), "approved")


def test_an_approved_successor_takes_over_the_active_leads():
    old = CampaignFactory(status="approved")
    waiting, there = CampaignLeadFactory.create_batch(2, campaign=old)
    sent = CampaignLeadFactory(campaign=old, active=False)
    new = approved_successor(old)
    CampaignLeadFactory(campaign=new, conversation_user=there.conversation_user, active=False)

    assert (succession.succeed(), succession.succeed()) == (1, 0)

    at = dict(CampaignLead.objects.values_list("pk", "campaign_id"))
    assert (at[waiting.pk], at[there.pk], at[sent.pk]) == (new.pk, old.pk, old.pk)
    assert Campaign.objects.get(pk=old.pk).status == "archived"
    assert rows_moved(Campaign, old.pk).last().verb == "archive"


@pytest.mark.parametrize("status", ["unsubmitted", "pending", "rejected"])
def test_a_version_goes_on_until_its_successor_is_approved(status):
    old = CampaignFactory(status="approved")
    in_state(revise(old), status)

    assert succession.succeed() == 0


def test_a_version_in_use_is_replaced_when_its_broadcast_has_ended():
    broadcast = BroadcastFactory(status="sending")
    approved_successor(broadcast.campaign)
    assert succession.succeed() == 0

    broadcast.cancel()
    assert succession.succeed() == 1


def test_a_version_is_replaced_over_a_rejected_one_in_between():
    first = CampaignFactory(status="approved")
    rejected = in_state(revise(first), "rejected")
    old, new = CampaignLeadFactory(campaign=first), CampaignLeadFactory(campaign=rejected)
    CampaignLead.objects.filter(pk=new.pk).update(conversation_user=old.conversation_user)
    heir = approved_successor(rejected)

    assert succession.succeed() == 2
    assert list(CampaignLead.objects.of(heir).active()) == [new]


@pytest.mark.django_db(transaction=True)
def test_of_parallel_creations_of_one_name_one_is_made(at_once):
    account = AccountFactory()

    answers = at_once(lambda: write(account))

    assert sorted(type(answer).__name__ for answer in answers) == ["Campaign"] + ["NameTaken"] * 7


@pytest.mark.django_db(transaction=True)
def test_of_parallel_new_versions_one_is_made(at_once):
    campaign = write(AccountFactory())

    answers = at_once(lambda: authoring.new_version(campaign, by=None))

    assert sorted(type(answer).__name__ for answer in answers) == ["Campaign"] + ["NotTheNewestVersion"] * 7


@pytest.mark.django_db(transaction=True)
def test_built_ins_created_many_times_at_once_are_one_of_each(at_once):
    account = AccountFactory()

    answers = at_once(lambda: [campaign.pk for campaign in authoring.onboard(account)], callers=4)

    assert answers == [answers[0]] * 4
    assert Campaign.objects.for_account(account).count() == 23
    assert all(content.body_of(each.content_type, each.content_context) for each in Campaign.objects.all())
