"""Uploads: what they are, where they lie, and who may read them."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from campaigns import media
from campaigns_project.refusals import ContentTooLarge, Invalid, NotFound
from tests.factories import AccountFactory, CampaignFactory
from tests.providers.test_images import picture

pytestmark = pytest.mark.django_db
PNG, JPEG, GIF = picture("PNG"), picture("JPEG"), picture("GIF")
PDF, MP4 = b"%PDF-1.7\n", b"\x00\x00\x00\x18ftypisom"


def upload(data, media_type, name="x.png"):
    return SimpleUploadedFile(name, data, media_type)


def parts(path):
    merchant, campaign, name = path.split("/")
    return int(merchant), int(campaign), name


def read(found):
    with found.file as file:
        return file.read(), found.media_type


@pytest.mark.parametrize(
    "data, media_type, ending",
    [
        (PNG, "image/png", ".png"),
        (JPEG, "image/jpeg", ".jpg"),
        (PDF, "application/pdf", ".pdf"),
        (MP4, "Video/MP4; codecs=x", ".mp4"),
    ],
)
def test_a_file_is_kept_under_a_name_of_ours(data, media_type, ending, private_files):
    campaign = CampaignFactory()

    path = media.store(campaign.account, campaign.pk, upload(data, media_type, name="../../etc/cron.d/x"))

    assert path.startswith(f"{campaign.account_id}/{campaign.pk}/")
    assert path.endswith(ending)
    assert (private_files / "media" / path).read_bytes() == data
    assert read(media.open_media(campaign.account, *parts(path))) == (data, media_type.partition(";")[0].lower())


@pytest.mark.parametrize(
    "data, media_type",
    [
        (b"<html>", "image/png"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (PNG, "image/jpeg"),
        (PDF, "image/png"),
        (MP4, ""),
        (GIF, "image/gif"),
        (b"", "image/png"),
    ],
)
def test_a_file_that_whatsapp_does_not_take_or_that_lies_is_refused(data, media_type, private_files):
    with pytest.raises(Invalid) as refusal:
        media.store(AccountFactory(), 1, upload(data, media_type))

    assert list(refusal.value.details) == ["media"]
    assert list(private_files.iterdir()) == []


@pytest.mark.parametrize(
    "data, media_type, largest",
    [(PNG, "image/png", media.LARGEST_PICTURE), (PDF, "application/pdf", media.LARGEST_FILE)],
)
def test_a_file_has_a_largest_size(data, media_type, largest):
    account = AccountFactory()
    media.store(account, 1, upload(data.ljust(largest, b"\x00"), media_type))

    with pytest.raises(ContentTooLarge):
        media.store(account, 1, upload(data.ljust(largest + 1, b"\x00"), media_type))


@pytest.fixture
def stored():
    campaign = CampaignFactory()
    return campaign, media.store(campaign.account, campaign.pk, upload(PNG, "image/png"))


def test_a_neighbour_finds_nothing(stored):
    campaign, path = stored
    merchant, version, name = parts(path)
    neighbour = CampaignFactory()

    for caller, owner, number in [
        (neighbour.account, merchant, version),
        (neighbour.account, neighbour.account_id, version),
        (neighbour.account, neighbour.account_id, neighbour.pk),
        (campaign.account, neighbour.account_id, version),
        (campaign.account, merchant, version + 10_000),
    ]:
        with pytest.raises(NotFound):
            media.open_media(caller, owner, number, name)


@pytest.mark.parametrize(
    "name", ["", "..", "../../../secrets/secret_key", "x.png", "0" * 32 + ".svg", "0" * 32 + ".png"]
)
def test_no_other_name_leads_to_a_file(stored, name):
    campaign, _ = stored

    with pytest.raises(NotFound):
        media.open_media(campaign.account, campaign.account_id, campaign.pk, name)


def test_whatsapp_reads_a_file_at_its_signed_address_only(stored):
    _, path = stored
    address, _, signature = media.address(path).partition("?signature=")
    assert address.endswith(f"/api/v1/campaign/media/{path}")

    assert read(media.open_signed(*parts(path), signature)) == (PNG, "image/png")
    for wrong in ("", signature[:-1], signature + "\u0661"):
        with pytest.raises(NotFound):
            media.open_signed(*parts(path), wrong)


def test_a_removed_file_is_gone_and_removing_it_again_is_fine(stored):
    campaign, path = stored

    for _ in range(2):
        media.remove(path)

    with pytest.raises(NotFound):
        media.open_media(campaign.account, *parts(path))
