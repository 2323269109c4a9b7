"""All settings, in one file. Each name in capitals that is read from `env` is also an environment variable."""

from __future__ import annotations

import os
import secrets
from datetime import timedelta
from pathlib import Path

import environ
import structlog
from cryptography.fernet import Fernet

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()  # type: ignore[no-untyped-call]  # django-environ ships no types


def kept(name: str, make: str) -> str:
    """A secret from the environment, else from a file under DATA_DIR that is made on the first start."""
    if name in os.environ:
        return os.environ[name]
    path = DATA_DIR / "secrets" / name.lower()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        file.write(make)
    return make


DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data"))).resolve()
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = kept("SECRET_KEY", secrets.token_urlsafe(48))
# Seals provider secrets and keys the hashes of suppressed addresses: lose it and both are gone.
DATA_KEY = kept("DATA_KEY", Fernet.generate_key().decode())
PORT = env.int("PORT", default=8000)
PUBLIC_BASE_URL = env.str("PUBLIC_BASE_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[PUBLIC_BASE_URL])

INSTALLED_APPS = [
    "campaigns_project.admin.CampaignsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "pgtrigger",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "campaigns_project",
    "lifecycle",
    "accounts",
    "dispatch",
    "crm",
    "campaigns",
    "coupons",
]

MIDDLEWARE = [
    "campaigns_project.cutting.whole_or_cut",
    "django.middleware.security.SecurityMiddleware",
    "campaigns_project.pages.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "accounts.middleware.RequestIdMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "accounts.middleware.AccountMiddleware",
]

ROOT_URLCONF = "campaigns_project.urls"
WSGI_APPLICATION = "campaigns_project.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "campaigns_project.pages.shell",
            ],
            "builtins": ["campaigns_project.templatetags.look"],
        },
    }
]

DATABASES = {
    "default": {
        **env.db_url("DATABASE_URL", default="postgres://postgres@127.0.0.1:5432/campaigns"),
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=600),
        "CONN_HEALTH_CHECKS": True,
        # Only what asks for it is prepared (campaigns_project.prepared): the ORM writes its values into the text.
        "OPTIONS": {"connect_timeout": 5, "prepare_threshold": 5},
    }
}

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_BASE_URL.startswith("https://")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = ["campaigns_project.formats"]
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
# What was collected is served compressed; before anything was, the files are served from where they are.
WHITENOISE_USE_FINDERS = not any(STATIC_ROOT.iterdir())
STORAGES: dict[str, dict[str, object]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
PRIVATE_FILES_DIR = DATA_DIR / "private"
FILE_UPLOAD_TEMP_DIR = None
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.tokens.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.tokens.RolePermission"],
    # Parsers and renderers are named by the door itself (campaigns_project.api.Door), because these
    # settings are read while rest_framework.views is being imported.
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "campaigns_project.api.Schema",
    "EXCEPTION_HANDLER": "campaigns_project.api.answer_refusal",
    "UNAUTHENTICATED_USER": None,
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%SZ",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Campaigns",
    "DESCRIPTION": "Reach customers by WhatsApp, direct mail, e-mail, SMS, push and coupons; each person exactly once.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/",
    "ENUM_NAME_OVERRIDES": {
        "TemplateStatus": "campaigns.models.CampaignStatus",
        "BroadcastStatus": "campaigns.models.BroadcastStatus",
        "MessageStatus": "campaigns.models.MessageStatus",
        "MarketingStatus": "crm.models.MarketingStatus",
        "MarketingType": "crm.models.MarketingType",
        "MarketingChannel": "crm.models.MarketingChannel",
        "LeftOut": "crm.models.LeftOut",
        "PromoStatus": "crm.models.PromoStatus",
        "PromoUseStatus": "crm.models.PromoUse.Status",
        "JobStatus": "campaigns_project.models.Job.Status",
        "SegmentType": "crm.models.SegmentType",
        "PromoType": "crm.models.PromoType",
        "CouponCampaignStatus": "coupons.models.CouponCampaignStatus",
        "CouponKind": "coupons.models.CouponKind",
        "DiscountType": "coupons.models.DiscountType",
        "PendingStatus": ["approval_pending"],
        "CouponStatus": "coupons.models.CouponStatus",
    },
}

ACCESS_TOKEN_LIFETIME = timedelta(hours=1)
REFRESH_TOKEN_LIFETIME = timedelta(days=14)
TOKEN_ISSUER = "campaigns"  # noqa: S105 (a name, no secret)
TOKEN_AUDIENCE = "campaigns-api"  # noqa: S105 (a name, no secret)
# Requests a minute: per signed-in caller, and per address for signing in.
RATE_LIMIT_PER_MINUTE = env.int("RATE_LIMIT_PER_MINUTE", default=6000)
SIGN_IN_TRIES_PER_MINUTE = env.int("SIGN_IN_TRIES_PER_MINUTE", default=20)
# Asked of whoever reads /metrics; empty: only this machine may.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

BROKER_URL = env.str("BROKER_URL", default="redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = BROKER_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 60,
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 2,
    "socket_timeout": 10,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "fast"
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Where the application of the clock and the queue is found by those below it.
CLOCK = "campaigns_project.celery.app"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

SANDBOX_PORT = env.int("SANDBOX_PORT", default=8100)
SANDBOX_URL = f"http://127.0.0.1:{SANDBOX_PORT}"
TWILIO_API_URL = env.str("TWILIO_API_URL", default=SANDBOX_URL).rstrip("/")
TWILIO_CONTENT_URL = env.str("TWILIO_CONTENT_URL", default=SANDBOX_URL).rstrip("/")
# Client timeout, the provider's slowest known answer, and how long absence must last before it is believed.
TWILIO_TIMEOUT_SECONDS = env.float("TWILIO_TIMEOUT_SECONDS", default=10)
TWILIO_SLOWEST_SECONDS = env.float("TWILIO_SLOWEST_SECONDS", default=60)
TWILIO_QUIET_SECONDS = env.float("TWILIO_QUIET_SECONDS", default=900)
# Shopify: where each shop answers; then as for Twilio.
SHOPIFY_URL = env.str("SHOPIFY_URL", default=f"{SANDBOX_URL}/shopify/{{shop}}")
SHOPIFY_TIMEOUT_SECONDS = env.float("SHOPIFY_TIMEOUT_SECONDS", default=20)
SHOPIFY_QUIET_SECONDS = env.float("SHOPIFY_QUIET_SECONDS", default=900)
SHOPIFY_CONNECTIONS = env.int("SHOPIFY_CONNECTIONS", default=4)
# E-mail: SendGrid's API; where it or a mail server answers, and over how many connections of this process.
SENDGRID_API_URL = env.str("SENDGRID_API_URL", default=f"{SANDBOX_URL}/v3").rstrip("/")
MAIL_TIMEOUT_SECONDS = env.float("MAIL_TIMEOUT_SECONDS", default=20)
SENDGRID_CONNECTIONS = env.int("SENDGRID_CONNECTIONS", default=50)
SMTP_CONNECTIONS = env.int("SMTP_CONNECTIONS", default=20)
# Mail servers (host:port) that may be inside our own network; only the sandbox, and only while it is in use.
SANDBOX_SMTP_PORT = env.int("SANDBOX_SMTP_PORT", default=SANDBOX_PORT + 25)
_SANDBOXED = SENDGRID_API_URL.startswith(SANDBOX_URL)
SMTP_TRUSTED = env.list("SMTP_TRUSTED", default=[f"127.0.0.1:{SANDBOX_SMTP_PORT}"] if _SANDBOXED else [])
# Web Push: our key (a new one makes every browser's subscription useless), and who a push service may turn to.
VAPID_PRIVATE_KEY = kept("VAPID_PRIVATE_KEY", secrets.token_urlsafe(32))
VAPID_CONTACT = env.str("VAPID_CONTACT", default="mailto:postmaster@example.com")
PUSH_TIMEOUT_SECONDS = env.float("PUSH_TIMEOUT_SECONDS", default=10)
PUSH_CONNECTIONS = env.int("PUSH_CONNECTIONS", default=50)
# Push services (origins) that may be inside our own network; only the sandbox, and only while it is in use.
PUSH_TRUSTED = env.list("PUSH_TRUSTED", default=[SANDBOX_URL] if _SANDBOXED else [])
# How often WhatsApp is asked about a template in review; decided ones are asked about 15 times less often.
TEMPLATE_POLL_SECONDS = env.float("TEMPLATE_POLL_SECONDS", default=2 if TWILIO_CONTENT_URL == SANDBOX_URL else 30)
# Where operators look an id up (`{id}`); nowhere while the sandbox answers.
_CONSOLE = "" if TWILIO_API_URL == SANDBOX_URL else "https://console.twilio.com/us1"
PROVIDER_CONSOLES = {
    "message": env.str("TWILIO_MESSAGE_CONSOLE", default=_CONSOLE and f"{_CONSOLE}/monitor/logs/sms/{{id}}"),
    "content": env.str(
        "TWILIO_CONTENT_CONSOLE", default=_CONSOLE and f"{_CONSOLE}/develop/sms/content-template-builder"
    ),
}
TWILIO_CONNECTIONS = env.int("TWILIO_CONNECTIONS", default=100)
# Webhooks to merchants: how long their server may take, and origins (http://127.0.0.1:9000) that may be on our network.
WEBHOOK_TIMEOUT_SECONDS = env.float("WEBHOOK_TIMEOUT_SECONDS", default=10)
WEBHOOK_TRUSTED_ORIGINS = env.list("WEBHOOK_TRUSTED_ORIGINS", default=[])
# Exports are kept in a folder of ours, or in this bucket of S3 (or of what speaks like it, at EXPORTS_S3_URL).
EXPORTS_BUCKET = env.str("EXPORTS_BUCKET", default="")
if EXPORTS_BUCKET:
    _S3: dict[str, str | None] = {"bucket_name": EXPORTS_BUCKET, "location": "exports", "signature_version": "s3v4"}
    _S3 |= {"region_name": env.str("EXPORTS_REGION", default="") or None}
    _S3 |= {"endpoint_url": env.str("EXPORTS_S3_URL", default="") or None}
    STORAGES |= {"exports": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": _S3}}
# Search by OpenSearch beside PostgreSQL's own; without an address PostgreSQL finds everything.
OPENSEARCH_URL = env.str("OPENSEARCH_URL", default="").rstrip("/")
OPENSEARCH_TIMEOUT_SECONDS = env.float("OPENSEARCH_TIMEOUT_SECONDS", default=2)
# What one message is estimated to cost, in minor units of the account's currency.
MESSAGE_PRICE_MINOR = {"marketing": 7, "service": 2}
# Above either, a second person decides.
APPROVAL_PEOPLE = 10_000
APPROVAL_MINOR = 100_000

# Random letters of a coupon's code (five bits each): of one that a person has alone, and of one that many share.
COUPON_CODE_LENGTH = env.int("COUPON_CODE_LENGTH", default=10)
COUPON_SHARED_CODE_LENGTH = env.int("COUPON_SHARED_CODE_LENGTH", default=6)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
# Tracebacks without the values of variables: a token or an address must not reach a log.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["event", "request_id"], drop_missing=True),
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
