"""django-oscar's own form for a set of vouchers, saved for real; `bench.codes` runs this in an environment of its own.

Arguments: how many vouchers. Prints the seconds that `VoucherSetForm.save()` took.
"""

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings
from django.core.management import call_command

SCHEMA = "oscar"


def configure():
    from oscar import INSTALLED_APPS, defaults

    url = urlsplit(os.environ["DATABASE_URL"])
    given = {name: getattr(defaults, name) for name in dir(defaults) if name.startswith("OSCAR_")}
    settings.configure(
        **given,
        SECRET_KEY="of a bench",
        USE_TZ=True,
        SITE_ID=1,
        ROOT_URLCONF="oscar.urls",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=INSTALLED_APPS,
        HAYSTACK_CONNECTIONS={"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}},
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "HOST": url.hostname,
                "PORT": url.port,
                "USER": url.username,
                "PASSWORD": unquote(url.password or ""),
                "NAME": url.path.strip("/"),
                # Beside our tables, in the same database.
                "OPTIONS": {"options": f"-c search_path={SCHEMA}"},
            }
        },
    )
    django.setup()


def prepare():
    from django.db import connection
    from oscar.core.loading import get_model

    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        cursor.execute(f"CREATE SCHEMA {SCHEMA}")
    call_command("migrate", verbosity=0)
    offers, conditions, benefits, ranges = (
        get_model("offer", name) for name in ("ConditionalOffer", "Condition", "Benefit", "Range")
    )
    everything = ranges.objects.create(name="Everything", includes_all_products=True)
    return offers.objects.create(
        name="Ten off",
        offer_type=offers.VOUCHER,
        condition=conditions.objects.create(range=everything, type="Count", value=1),
        benefit=benefits.objects.create(range=everything, type="Percentage", value=10),
    )


def main():
    configure()
    offer = prepare()
    from oscar.apps.dashboard.vouchers.forms import VoucherSetForm

    begins = datetime.now(UTC)
    form = VoucherSetForm(
        {
            "name": "A set",
            "code_length": 12,
            "description": "Ten off",
            "start_datetime": begins,
            "end_datetime": begins + timedelta(days=30),
            "count": int(sys.argv[1]),
            "usage": "Single use",
            "offers": [offer.pk],
        }
    )
    assert form.is_valid(), form.errors
    start = time.perf_counter()
    made = form.save()
    took = time.perf_counter() - start
    assert made.vouchers.count() == int(sys.argv[1])
    print(took)


if __name__ == "__main__":
    main()
