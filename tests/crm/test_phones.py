import pytest

from campaigns_project.refusals import Invalid
from crm.phones import normalise


@pytest.mark.parametrize(
    "typed, region, stored",
    [
        ("+15550000001", None, "+15550000001"),
        ("+1-555-000-0001", None, "+15550000001"),
        (" +1 (555) 000.0001 ", None, "+15550000001"),
        ("whatsapp:+15550000001", None, "+15550000001"),
        ("15551234567", None, "+15551234567"),
        ("\uff0b15551234567", None, "+15551234567"),
        ("+١٥٥٥١٢٣٤٥٦٧", None, "+15551234567"),
        ("07911 123456", "GB", "+447911123456"),
        ("+19005550100", None, "+19005550100"),
    ],
)
def test_a_number_is_stored_in_one_form(typed, region, stored):
    assert normalise(typed, region) == stored


@pytest.mark.parametrize(
    "typed",
    [
        *("", "+", "+1555CALLNOW", "+1555\x001234", "+1234567890123456", "5551234567", "+999123456789"),
        *("+1 555 123 4567 ext 5", "tel:+15551234567", "1" * 41, "+1555\n1234567", "+1234567"),
        *(15551234567, None, ["+15551234567"]),
    ],
)
def test_a_number_nobody_can_have_is_refused(typed):
    with pytest.raises(Invalid) as refused:
        normalise(typed, field="leads.3.phone_number")

    assert list(refused.value.details) == ["leads.3.phone_number"]
