import datetime as dt
import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template import engines
from django.utils import timezone

from accounts.models import AccountStatus
from campaigns.models import BroadcastStatus, CampaignStatus, MessageStatus
from campaigns_project.icons import ICONS
from campaigns_project.kit import MACHINES, SampleForm
from campaigns_project.models import Job
from campaigns_project.templatetags.look import count, money
from campaigns_project.tones import GLYPHS, LOOKS, TONES, look_of, segments
from crm.models import TrialStatus
from dispatch.models import AttemptState, InboxEntry
from tests.factories import AccountFactory

# An e-mail is no page: its styles travel with it, and no policy of ours reaches it.
MAILS = {settings.BASE_DIR / "templates/crm/email.html"}
TEMPLATES = sorted({*(settings.BASE_DIR / "templates").rglob("*.html")} - MAILS)


def shown(words, **context):
    return engines["django"].from_string(words).render(context)


@pytest.mark.parametrize(
    "machine, states",
    [
        ("template", CampaignStatus),
        ("broadcast", BroadcastStatus),
        ("message", MessageStatus),
        ("account", AccountStatus),
        ("job", Job.Status),
        ("attempt", AttemptState),
        ("inbox", InboxEntry.Result),
        ("trial", TrialStatus),
    ],
)
def test_every_status_has_a_look(machine, states):
    assert set(LOOKS[machine]) == set(states.values)


def test_every_look_uses_a_known_tone_and_glyph():
    looks = [look for machine in LOOKS.values() for look in machine.values()]

    assert {look.tone for look in looks} <= set(TONES)
    assert {look.glyph for look in looks} <= set(GLYPHS)
    assert set(MACHINES) == set(LOOKS)


def test_a_status_nobody_drew_is_shown_as_it_is():
    assert look_of("template", "in_appeal").label == "In appeal"


@pytest.mark.parametrize(
    "words, html",
    [
        ('{% chip "message" "skipped" %}', '<span class="chip t-grey g-dash">Left out</span>'),
        ('{% chip "message" "skipped" "<b>" %}', '<span class="chip t-grey g-dash">Left out: &lt;b&gt;</span>'),
        ('{% badge "orange" "bars" "Ends in 6 h" %}', '<span class="chip t-orange g-bars">Ends in 6 h</span>'),
        (
            '{% crumbs "Campaigns" "/campaigns" "Sale" %}',
            (
                '<nav class="crumbs" aria-label="Breadcrumb"><a href="/campaigns">Campaigns</a>'
                '<span aria-hidden="true">/</span><span>Sale</span></nav>'
            ),
        ),
        ("{% when None %}", "—"),
        (
            '{% meter 5 10 "Sent" %}',
            '<progress class="meter" value="5" max="10" aria-label="Sent"></progress>',
        ),
        (
            '{% meter 0 0 "Sent" %}',
            '<progress class="meter" value="0" max="1" aria-label="Sent"></progress>',
        ),
        (
            '{% meter 10 10 "Sent" %}',
            '<progress class="meter done" value="10" max="10" aria-label="Sent"></progress>',
        ),
    ],
)
def test_small_parts_are_drawn_like_this(words, html):
    assert shown(words) == html


@pytest.mark.parametrize("name", ICONS)
def test_every_icon_is_drawn(name):
    assert f'd="{ICONS[name]}"' in shown(f'{{% icon "{name}" %}}')


@pytest.mark.parametrize(
    "minor, currency, words",
    [
        (7878, "USD", "$78.78"),
        (123456789, "EUR", "€1,234,567.89"),
        (-5, "GBP", "−£0.05"),
        (500, "JPY", "500 JPY"),
        (500, "CHF", "5.00 CHF"),
        (12345, "KWD", "12.345 KWD"),
        (-5, "CLF", "−0.0005 CLF"),
        (None, "USD", "—"),
    ],
)
def test_money_reads_like_this(minor, currency, words):
    assert money(minor, currency) == words


@pytest.mark.parametrize("value, words", [(12480, "12,480"), (0, "0"), (None, "—")])
def test_counts_have_separators(value, words):
    assert count(value) == words


@pytest.mark.parametrize(
    "days, words",
    [(0, "Today, "), (-1, "Yesterday, "), (1, "Tomorrow, "), (-400, r"[A-Z][a-z]{2} \d+ \d{4}, ")],
)
def test_moments_are_told_from_today(days, words):
    moment = timezone.now() + dt.timedelta(days=days)

    assert re.search(rf">{words}\d\d:\d\d</time>", shown("{% when moment %}", moment=moment))


def test_moments_are_told_in_the_accounts_time_zone():
    moment = dt.datetime(2024, 1, 31, 23, 30, tzinfo=dt.UTC)

    html = shown("{% when moment %}", moment=moment, account=AccountFactory.build(time_zone="Asia/Tokyo"))

    assert html == ('<time datetime="2024-01-31T23:30:00Z" title="Feb 1, 2024, 08:30:00 JST">Feb 1 2024, 08:30</time>')


@pytest.mark.parametrize("tone, drawing", [("blue", "info"), ("green", "check"), ("red", "warn")])
def test_a_banner_says_its_sentence_and_its_block(tone, drawing):
    html = shown(f'{{% banner "{tone}" title %}}<p>More</p>{{% endbanner %}}', title="5 < 6")

    assert ICONS[drawing] in html
    assert "<strong>5 &lt; 6</strong>" in html
    assert html.endswith("<p>More</p></div>")


def test_a_bars_parts_fill_it_and_the_smallest_can_be_seen():
    html = shown("{% bar parts %}", parts=segments("message", {"sent": 99_999, "failed": 1, "read": 0}, "?status="))

    widths = [float(width) for width in re.findall(r'width="([\d.]+)%"', html)]
    assert sum(widths) == pytest.approx(100, abs=0.02)
    assert min(widths) > 0.7
    assert re.findall(r'href="(.*?)"', html) == ["?status=sent", "?status=failed"]
    assert 'class="num">99,999<' in html


def test_a_bar_of_nothing_is_empty():
    assert "<rect" not in shown("{% bar parts %}", parts=[])


def test_the_longest_share_is_full_width():
    html = shown(
        "{% shares rows %}", rows=[{"label": "Opted out", "value": 4, "href": "/x"}, {"label": "Other", "value": 1}]
    )

    assert re.findall(r'class="(c\d)" width="(.*?)"', html) == [("c6", "100.0%"), ("c6", "25.0%")]


def test_a_tile_holds_a_number_or_words():
    html = shown('{% tile "Sent" "8,118" of="9" href="/x" %}{% tile "Next" "Waiting" %}')

    assert '<b><a href="/x">8,118</a> <small>of 9</small></b>' in html
    assert '<b class="text">Waiting</b>' in html


def test_a_message_is_shown_as_the_phone_shows_it():
    content = {
        "title": "Hello",
        "body": "*Hi {{1}}*, _see_ ~5~ ```x``` {{ shop }} & {{2}}\nBye \ue000",
        "media": ["https://example.test/a/menu.jpg"],
        "actions": [{"title": "Go {{1}}", "url": "u"}, {"title": "Call", "phone": "1"}, {"title": "No", "id": "no"}],
    }
    html = shown(
        '{% bubble "Harbor" content values names %}',
        content=content,
        values={"lead_name": "<i>Amira</i> *", "2": "two"},
        names={"1": "lead_name"},
    )

    assert (
        '<b>Hi <mark title="lead_name">&lt;i&gt;Amira&lt;/i&gt; *</mark></b>, <em>see</em> <s>5</s> <code>x</code> '
        '<mark class="gap">shop</mark> &amp; <mark title="2">two</mark>\nBye '
    ) in html
    assert "menu.jpg" in html
    assert [ICONS[name] in html for name in ("link", "phone", "reply")] == [True, True, True]


def test_a_field_ties_its_hint_and_error_to_it():
    html = shown("{% for bound in form %}{% field bound %}{% endfor %}", form=SampleForm({"code": "X"}))

    assert re.search(r'<input type="text" name="code"[^>]*aria-describedby="id_code_error"', html)
    assert re.search(r'name="discount"[^>]*aria-describedby="id_discount_hint id_discount_error"', html)
    assert 'id="id_discount_hint"' in html
    assert "<legend>When</legend>" in html
    assert re.search(r'<label class="tick" for="id_again"><input type="checkbox" name="again"', html)


def test_a_check_says_in_words_how_it_went():
    html = shown("{% checks results %}", results=[{"ok": True}, {"ok": None, "href": "/x"}, {"ok": False}])

    assert re.findall(r'class="vh">(.*?)<', html) == ["Fine:", "Note:", "Not ready:"]


def test_the_stepper_links_back_only():
    html = shown("{% stepper steps 2 %}", steps=[("One", "/1"), ("Two", "/2"), ("Three", "/3")])

    assert re.findall(r'href="(.*?)"', html) == ["/1"]
    assert '<li aria-current="step"><span>Two' in html


def test_an_empty_list_offers_a_way_on():
    html = shown('{% nothing_yet "None" "Text" "Create" "/new" "Import" "/import" %}')

    assert re.findall(r'href="(.*?)"', html) == ["/new", "/import"]


def test_the_copy_button_waits_for_scripts():
    assert re.search(r'data-copy="a &amp; b" hidden>', shown("{% copy text %}", text="a & b"))


@pytest.mark.parametrize("file, budget", [("campaigns.css", 8), ("campaigns.js", 10), ("admin-theme.css", 4)])
def test_styles_and_scripts_stay_small(file, budget):
    assert len(gzip.compress(Path(settings.BASE_DIR / "static" / file).read_bytes())) <= budget * 1024


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_holds_code_or_style_that_the_policy_forbids(path):
    forbidden = r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:|(?:src|href)=.https?:"

    assert not re.findall(forbidden, path.read_text())
