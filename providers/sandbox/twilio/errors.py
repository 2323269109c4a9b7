"""Twilio's refusals, in Twilio's words (twilio/twilio-oai and men232/twilio-error-codes, MIT)."""

from __future__ import annotations

import json

from providers.sandbox.exchange import Answer

MESSAGES = {
    20001: "Unknown parameters",
    20003: "Authenticate",
    20009: "Cannot delete this resource before it is complete",
    20404: "The requested resource was not found",
    20405: "Method not allowed",
    20413: "Request entity too large",
    20429: "Too Many Requests",
    20500: "An internal server error has occurred",
    21211: "Invalid 'To' Phone Number",
    21212: "Invalid From Number (caller ID)",
    21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number",
    21602: "Message body is required",
    21603: "A 'From' or 'MessagingServiceSid' parameter is required to send a message",
    21604: "The destination 'To' phone number is required to send an SMS",
    21609: "Invalid 'StatusCallback'",
    21610: "Attempt to send to unsubscribed recipient",
    21611: "This 'From' number has exceeded the maximum number of queued messages",
    21612: "The 'To' phone number is not currently reachable via SMS",
    21614: "'To' number is not a valid mobile number",
    21617: "The concatenated message body exceeds the 1600 character limit",
    21623: "Number of media files exceeds allowed limit",
    21654: "ContentSid Required",
    21655: "The ContentSid is Invalid",
    21656: "The ContentVariables Parameter is invalid",
    21703: "The Messaging Service does not have a phone number available to send a message",
    21910: "Invalid From and To pair. From and To should be of the same channel",
    30001: "Queue overflow",
    30003: "Unreachable destination handset",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30409: "Message cannot be canceled in its present state",
    35114: "SendAt timestamp is not valid",
    63001: "Channel could not authenticate the request",
    63003: "Channel could not find To address",
    63005: "Channel did not accept given content",
    63007: "Twilio could not find a Channel with the specified From address",
    63009: "Channel provider returned an internal service error (HTTP 5xx)",
    63010: "Twilio's platform encountered an internal error processing this message",
    63012: "Channel provider returned an internal service error",
    63013: "Channel policy violation",
    63014: "Channel message blocked by user action",
    63016: "Failed to send freeform message because you are outside the allowed window",
    63018: "Rate limit exceeded for Channel",
    63024: "Invalid message recipient",
    63027: "Template does not exist for a language and locale",
    63028: "Number of parameters provided does not match the expected number of parameters",
    63033: "Recipient blocked to receive message",
    63038: "Account exceeded the daily messages limit",
    63040: "Template rejected",
    63041: "Template paused",
    63042: "Template disabled",
    63051: "WhatsApp Business Account is Locked",
}

HTTP_STATUS = {
    20003: 401, 20009: 409, 20404: 404, 20405: 405, 20413: 413, 20429: 429,
    20500: 500, 63009: 500, 63010: 500, 63012: 500,
}  # fmt: skip
CODE_OF_STATUS = {404: 20404, 405: 20405, 413: 20413, 429: 20429, 500: 20500}


def message_of(code: int) -> str:
    return MESSAGES.get(code, f"Twilio error {code}")


class TwilioError(Exception):
    """A refusal with one of Twilio's codes; its HTTP status follows from the code."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message or message_of(code))
        self.code = code

    def answer(self) -> Answer:
        status = HTTP_STATUS.get(self.code, 400)
        document = {
            "code": self.code,
            "message": str(self),
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": status,
        }
        return Answer(status, json.dumps(document).encode())


def refuse(status: int) -> Answer:
    """Twilio's own answer with this HTTP status, for the injected faults and for requests nobody serves."""
    return TwilioError(CODE_OF_STATUS.get(status, 20001)).answer()
