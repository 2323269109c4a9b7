"""What one person would read: the same rule in Python for one person and in SQL for a million.

Precedence (spec: decisions › WhatsApp): the lead's own variables, the values of the call, what we know of merchant and
person, the campaign's defaults. A blank value counts as none, and a person who lacks a value is never sent the message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from campaigns.content import body_of
from campaigns.values import LONGEST_VALUE, check_values, hydrate, resolve
from campaigns.variables import CODE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from accounts.models import Account
    from campaigns.models import Campaign, CampaignLead, ConversationUser

# What Python's str.split() takes for white space, spelled out: PostgreSQL's own class depends on the locale.
_SPACE = r"[\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_CONTROL = r"[\u0001-\u001f\u007f-\u009f]"
_TIDY = f"btrim(regexp_replace({{value}}, '{_SPACE}+', ' ', 'g'), ' ')"


@dataclass(frozen=True)
class ValuesSQL:
    """SQL expressions over one person's row, with their parameters.

    `numbered` is a jsonb `{"1": value}`, `body` the text as sent, `missing` whether any value is missing, and
    `missing_by_name` the same for each variable.
    """

    numbered: str
    body: str
    missing: str
    missing_by_name: dict[str, str]
    params: dict[str, Any]


def preview(
    campaign: Campaign, *, lead: CampaignLead | None = None, values: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """`{content, body, variables, missing}` for a lead or for given values; Invalid names values WhatsApp refuses."""
    given = check_values(values or {}, variables=campaign.variables, field="values")
    person = lead.conversation_user if lead else None
    found, missing = resolve(
        list(campaign.variables.values()),
        lead=lead.custom_variables if lead else {},
        call=given,
        model=model_values(campaign.account, person),
        defaults=campaign.variable_defaults,
    )
    content, _ = hydrate(campaign.content_context, campaign.variables, found)
    return {
        "content": content,
        "body": body_of(campaign.content_type, content),
        "variables": found,
        "missing": missing,
    }


def model_values(account: Account, person: ConversationUser | None) -> dict[str, str]:
    """What we know without being told, by variable name."""
    return {
        "merchant_name": account.name,
        "merchant_phone": account.phone,
        "lead_name": person.name if person else "",
        "lead_phone": person.phone if person else "",
    }


def values_sql(
    campaign: Campaign,
    *,
    lead: str,
    person: str,
    merchant: str,
    call: Mapping[str, str] | None = None,
    code: str = "NULL::text",
) -> ValuesSQL:
    """The same for every lead of a statement; `lead`, `person` and `merchant` are its table aliases, and `code` is the
    SQL of a person's own code, which comes before the words for all.
    """
    model = {
        "merchant_name": f"{merchant}.name",
        "merchant_phone": f"{merchant}.phone",
        "lead_name": f"{person}.name",
        "lead_phone": f"{person}.phone",
    }
    params: dict[str, Any] = {}
    by_name: dict[str, str] = {}
    for index, name in enumerate(campaign.variables.values()):
        params |= {
            f"name_{index}": name,
            f"call_{index}": (call or {}).get(name),
            f"default_{index}": campaign.variable_defaults.get(name),
        }
        own = [code] if name == CODE else []
        sources = [f"{lead}.custom_variables->>%(name_{index})s", *own, f"%(call_{index})s::text"]
        sources += [model[name]] if name in model else []
        sources.append(f"%(default_{index})s::text")
        by_name[name] = f"coalesce({', '.join(_usable(source) for source in sources)})"
    pairs = ", ".join(f"'{int(number)}', {by_name[name]}" for number, name in campaign.variables.items())
    missing = {name: f"({value} IS NULL)" for name, value in by_name.items()}
    return ValuesSQL(
        numbered=f"jsonb_build_object({pairs})",
        body=_body_sql(campaign, by_name, params),
        missing=" OR ".join(missing.values()) or "false",
        missing_by_name=missing,
        params=params,
    )


def _usable(source: str) -> str:
    """Tidied, or null when there is nothing in it or WhatsApp would refuse it."""
    tidy = _TIDY.format(value=source)
    return f"CASE WHEN length({tidy}) <= {LONGEST_VALUE} AND {tidy} !~ '{_CONTROL}' THEN nullif({tidy}, '') END"


def _body_sql(campaign: Campaign, by_name: Mapping[str, str], params: dict[str, Any]) -> str:
    """The body's pieces and values in a row, so that a value that looks like a variable stays what it is."""
    pieces = re.split(r"\{\{(\d+)\}\}", body_of(campaign.content_type, campaign.content_context))
    texts, numbers = pieces[0::2], pieces[1::2]
    params |= {f"text_{index}": text for index, text in enumerate(texts)}
    joined = "%(text_0)s::text"
    for index, number in enumerate(numbers, start=1):
        joined += f" || coalesce({by_name[campaign.variables[number]]}, '') || %(text_{index})s::text"
    return f"({joined})"
