"""The providers' stand-in: one process on loopback that speaks their wire formats and keeps its own record.

`python -m providers.sandbox` serves on 127.0.0.1:SANDBOX_PORT (8100), and e-mail also on SANDBOX_SMTP_PORT (25 above);
its state is in DATA_DIR/sandbox.
What it accepted is written before it answers, so a `kill -9` forgets nothing; only a reset empties it.
It shares no code with the clients it tests, and signs with the providers' official libraries.

Twilio (any AccountSid of `AC` + 32 letters or digits, any token; both api.twilio.com and content.twilio.com)
    POST, GET   /2010-04-01/Accounts/{AC}/Messages.json           GET, POST, DELETE …/Messages/{Sid}.json
    POST, GET   /v1/Content         GET, PUT, DELETE /v1/Content/{HX}         GET /v1/ContentAndApprovals
    POST        /v1/Content/{HX}/ApprovalRequests/whatsapp        GET /v1/Content/{HX}/ApprovalRequests

SendGrid (any key of the form `SG.…`; one account for each first part of a key)
    POST        /v3/mail/send
    PATCH       /v3/user/webhooks/event/settings {"enabled", "url"}     …/settings/signed → {"public_key"}
    Events are posted signed, by a key pair that anybody can make, until they are taken.
    +refused@, +forbidden@ and +large@ are refused with 400, 403 and 413; +bounce@, +blocked@, +dropped@, +deferred@,
    +delivered@, +open@, +click@, +unsubscribe@ and +spamreport@ have that story; see `mail.smtp` for the mail server's.

Shopify (any shop, any token that begins with `shpat_`; other tokens are a 401)
    POST        /shopify/{shop}/admin/api/2026-10/graphql.json
    discountCodeBasicCreate, discountRedeemCodeBulkAdd (done after `approve_after_ms`), discountRedeemCodeBulkCreation,
    codeDiscountNodeByCode. A code with REFUSE in it is refused. A bucket of 2,000 points fills with 100 a second; a
    mutation takes 10. `status_429` is THROTTLED in a 200.

Web Push: see `push`.

Control (JSON; refusals are 400 with `{"error": …}`)
    All take `provider`: twilio (unless it says otherwise), sendgrid, smtp, push or shopify.
    GET  /_sandbox/log[?since=&to=&key=&offset=&limit=]  what was accepted, oldest first
    GET  /_sandbox/calls[?since=&offset=&limit=]  every call as it arrived (epoch seconds), with its outcome
    GET  /_sandbox/summary       counts: accepted, people, doubled, calls by outcome, callbacks
    GET, POST /_sandbox/faults   the settings of `faults.Settings`; POST changes the ones named
    POST /_sandbox/reset         forget everything, settings included
    POST /_sandbox/inbound       {"from", "to", "body"[, "account_sid", "params"]}: somebody writes to us
    POST /_sandbox/templates/{HX} {"status"[, "rejection_reason"]}: Meta changes its mind
    GET  /phone                  the phone these messages arrive on; GET /mail: e-mails and pushes; GET /healthz

Magic recipients (with or without `whatsapp:`; CCCCC is any error code of Twilio's, e.g. 63024)
    +150050CCCCC   refused at once with this code (20003 is a 401, 20404 a 404, 20429 a 429, 63009 a 500)
    +150060CCCCC   accepted, `sent`, then `undelivered` with this code
    +150070CCCCC   accepted, then `failed` with this code
    +15005550001, …2, …3, …4, …9   Twilio's own test numbers: 21211, 21612, 21408, 21610, 21614

Templates go received → pending → approved within `approve_after_ms`; rejected when a name contains "reject"
or the body breaks a rule of Meta's. What WhatsApp would not deliver (free text outside the 24 h window, a
template that is not approved) is accepted and then `failed` with 63016, 63040, 63041 or 63042. STOP and START
keep Twilio's own opt-out list (21610).
"""
