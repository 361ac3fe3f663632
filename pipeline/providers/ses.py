"""Amazon SES, version 2 of its interface (SendBulkEmail): the content once as an inline template, up to 50 recipients.

The template has no variables: subject and bodies are the same for all. What is personal is each entry's own
``List-Unsubscribe`` and a tag. There is no idempotency and no search, so a batch in doubt waits for a person.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

from pipeline.clock import Clock
from pipeline.core.feedback import Bar
from pipeline.core.headers import ONE_CLICK, list_headers, mailbox, single_line, url_value
from pipeline.core.message import Accepted, Batch, InlinePicture, Outcome, Refused, RejectReason, TryLater, Unknown
from pipeline.errors import CredentialsRefused, ProviderFault
from pipeline.providers.base import Asked, Call, Capabilities, PlaceForgotten, Provider, SendingNames, Suppressed, SuppressedPage
from pipeline.providers.guard import check_batch
from pipeline.providers.http_call import Answer, HttpCaller, InDoubt, NotSent, outcomes_of
from pipeline.providers.mailgun_answers import wait_seconds, without_addresses
from pipeline.providers.sigv4 import Credentials, signed_headers

PATH = "/v2/email/outbound-bulk-emails"

CAPABILITIES = Capabilities(
    batch_size=50,
    # "Using templates to send personalized email": the JSON of a call with an inline template may have 1 MB.
    payload_limit=1_000_000,
    per_recipient_headers=True,
    idempotency_window_s=None,
    lookup=False,
    call_limit_s=60,
    lookup_settles_s=None,
    signed_webhooks=True,
    tracking_switch=True,
    suppressions=True,
)

_RETRY_S = 10.0
_THROTTLE_S = 5.0
"""SES gives a rate a second and no Retry-After."""
_QUOTA_WAIT_S = 3600.0
"""The daily quota is counted over the last 24 hours, so it comes back bit by bit."""

PAGE = 100
"""Addresses of a page of the list of those that SES does not mail."""

_REGION = re.compile(r"[a-z]{2,3}(?:-[a-z]+)+-\d{1,2}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_HEADER_VALUE = re.compile(r"[ -~]{1,995}")
_CONTENT_ID = 78
"""Characters of an attachment's ContentId and ContentType in the service model."""
_HEADER_LINE = 996
"""Characters of a header's name and value together."""

_SAYS_QUOTA = re.compile(r"daily (?:message|sending) quota", re.IGNORECASE)
_SAYS_UNVERIFIED = re.compile(r"not verified", re.IGNORECASE)
_ABOUT_ADDRESS = re.compile(r"\baddress\b|local (?:part|address)|missing final|domain (?:name )?(?:contains|starts|ends)", re.IGNORECASE)

# Entry statuses that say something about the account: no other batch would fare better until somebody acts.
# The names of the enumeration, and those of its own documentation.
_ACCOUNT = {
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": "Verify the domain of the newsletter's from_address in SES, in this region.",
    "CONFIGURATION_SET_NOT_FOUND": "Check provider.ses.configuration_set and provider.ses.region.",
    "CONFIGURATION_SET_DOES_NOT_EXIST": "Check provider.ses.configuration_set and provider.ses.region.",
    "CONFIGURATION_SET_SENDING_PAUSED": "Sending is paused for the configuration set in SES; start it there.",
    "INVALID_SENDING_POOL_NAME": "The configuration set names a pool of addresses that does not exist; mend it in SES.",
    "ACCOUNT_SUSPENDED": "SES has suspended the account; see its console.",
    "ACCOUNT_SENDING_PAUSED": "Sending is paused for the account; see the SES console.",
}
_ACCOUNT_ERRORS = {
    "AccountSuspendedException": _ACCOUNT["ACCOUNT_SUSPENDED"],
    "SendingPausedException": "Sending is paused for the account or the configuration set; see the SES console.",
    "MailFromDomainNotVerifiedException": _ACCOUNT["MAIL_FROM_DOMAIN_NOT_VERIFIED"],
    "NotFoundException": _ACCOUNT["CONFIGURATION_SET_NOT_FOUND"],
}
_DENIED = ("AccessDeniedException", "AccessDenied", "NotAuthorized")
_THROTTLED = ("TooManyRequestsException", "ThrottlingException", "Throttling", "ThrottledException", "RequestLimitExceeded")


class Ses(Provider):
    """A provider adapter (``providers.base.Provider``) for Amazon SES. Its news: ``ses_events``."""

    name = "ses"

    def __init__(
        self,
        *,
        access_key_id: str,
        secret_access_key: str,
        region: str,
        now: Clock,
        base_url: str = "",
        configuration_set: str = "",
        timeout_s: float = 60,
    ) -> None:
        """``timeout_s`` bounds a whole call. ValueError when a setting is not what its name says."""
        if not _REGION.fullmatch(region):
            raise ValueError("region is not the name of a region, such as eu-central-1")
        if configuration_set and not _NAME.fullmatch(configuration_set):
            raise ValueError("configuration_set is not a name (letters, digits, underscore, hyphen; up to 64)")
        base_url = (base_url or f"https://email.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}").rstrip("/")
        self.capabilities = replace(CAPABILITIES, call_limit_s=timeout_s)
        self._credentials = Credentials(access_key_id=access_key_id, secret_access_key=secret_access_key, region=region, service="ses")
        self._configuration_set, self._now = configuration_set, now
        self._caller = HttpCaller(base_url=base_url, timeout_s=timeout_s)
        parts = urlsplit(base_url)
        usual = {"http": 80, "https": 443}[parts.scheme]
        self._host = (parts.netloc if parts.port != usual else parts.netloc.rpartition(":")[0]).lower()
        self._base_path = parts.path

    def __repr__(self) -> str:  # no key
        return f"Ses(region={self._credentials.region!r}, host={self._caller.host!r})"

    def compose(self, batch: Batch) -> Call:
        """One call for the whole batch, its entries in the batch's order."""
        check_batch(batch, self.capabilities)
        if not batch.recipients:
            return Call(batch=batch, body=b"")
        body = json.dumps(bulk_email(batch, self._configuration_set), ensure_ascii=False, separators=(",", ":")).encode()
        if len(body) > self.capabilities.payload_limit:
            raise ValueError(f"the call would be {len(body)} bytes; SES takes {self.capabilities.payload_limit} with an inline template")
        return Call(batch=batch, body=body, content_type="application/json")

    def submit(self, call: Call) -> Sequence[Outcome]:
        """Signs the call and posts it.

        Besides what the protocol says, raises ProviderFault when nothing was taken because of the account, the domain or
        the configuration set.
        """
        batch = call.batch
        if not batch.recipients:
            return ()
        headers = signed_headers(
            self._credentials, host=self._host, path=self._base_path + PATH, content_type=call.content_type, body=call.body, now=self._now()
        )
        return outcomes_of(
            len(batch.recipients),
            lambda: self._caller.post(PATH, content=call.body, content_type=call.content_type, headers=headers, leave_by=call.leave_by),
            lambda answer: self._outcomes(batch, answer),
        )

    def close(self) -> None:
        """Lets go of connections."""
        self._caller.close()

    def suppressed(self, place: str) -> SuppressedPage:
        """A page of the account's list in this region (ListSuppressedDestinations). A place is a NextToken."""
        answer = self._get("/v2/email/suppression/addresses", {"PageSize": str(PAGE), **({"NextToken": place} if place else {})})
        kind, message = _said(answer)
        if place and answer.status == 400 and kind in ("InvalidNextTokenException", "BadRequestException"):
            raise PlaceForgotten
        if answer.status == 429 or kind in _THROTTLED:
            raise ProviderFault("ses wants to be asked more slowly", hint="Run it again in a minute: it goes on where it stopped.")
        try:
            document = json.loads(answer.body)
            items, following = list(document["SuppressedDestinationSummaries"]), str(document.get("NextToken") or "")
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ProviderFault(f"ses answered {answer.status}{f' {kind}' if kind else ''}: {without_addresses(message)}") from None
        entries = [one for one in map(_suppressed, items) if one is not None]
        return SuppressedPage(entries, following, len(items) - len(entries))

    def ask(self) -> Asked:
        """The account (GetAccount). A user who may only send is refused it by name, which proves the signature."""
        answer = self._get("/v2/email/account", {}, may_be_denied=True)
        kind, message = _said(answer)
        if answer.status in (401, 403):
            return Asked("knows the key, which may not read the account (ses:GetAccount)", answer.date)
        try:
            account = json.loads(answer.body)
            enabled, production, quota = account["SendingEnabled"], account["ProductionAccessEnabled"], account.get("SendQuota") or {}
        except (ValueError, LookupError, TypeError, AttributeError):
            raise _not_a_mail_interface(f"ses answered {answer.status} {kind}: {without_addresses(message)}") from None
        if not enabled:
            raise ProviderFault("ses knows the key, but sending is paused for the account", hint=_ACCOUNT["ACCOUNT_SENDING_PAUSED"])
        sandbox = "" if production else ", but the account is in SES's sandbox: verified addresses only"
        day, rate = quota.get("Max24HourSend"), quota.get("MaxSendRate")
        said = f"; {day:g} readers a day, {rate:g} a second" if isinstance(day, int | float) and isinstance(rate, int | float) else ""
        return Asked(f"knows the key{said}{sandbox}", answer.date)

    def names(self, from_domain: str) -> SendingNames | None:
        """Easy DKIM signs for the domain under selectors that SES gives it; the envelope is Amazon's unless told otherwise."""
        return SendingNames(dkim_domain=from_domain)

    def _get(self, path: str, query: Mapping[str, str], *, may_be_denied: bool = False) -> Answer:
        # Both sides write the query in one form: sorted, everything but letters, digits and -._~ in percent signs.
        written = urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
        headers = signed_headers(
            self._credentials, method="GET", host=self._host, path=self._base_path + path, query=written, now=self._now()
        )  # fmt: skip
        try:
            answer = self._caller.get(f"{path}?{written}" if written else path, headers)
        except (NotSent, InDoubt) as error:
            raise ProviderFault(f"ses cannot be asked: {error}") from None
        kind, message = _said(answer)
        if answer.status in (401, 403) and not (may_be_denied and kind in _DENIED):
            raise CredentialsRefused(
                f"ses answered {answer.status} {kind}: {without_addresses(message)}", hint=_READ_HINT if kind in _DENIED else _KEY_HINT
            )
        return answer

    def _outcomes(self, batch: Batch, answer: Answer) -> Sequence[Outcome]:
        """The table of what each status means; the order of its rows does not matter."""
        everyone = len(batch.recipients)
        kind, message = _said(answer)
        detail = f"ses answered {answer.status}{f' {kind}' if kind else ''}: {without_addresses(message)}"
        if 400 <= answer.status < 500 and (hint := _ACCOUNT_ERRORS.get(kind)):
            raise ProviderFault(detail, hint=hint)
        match answer.status:
            case 200:
                return self._entries(answer, everyone)
            case status if status == 429 or (status == 400 and kind in _THROTTLED):
                wait = _QUOTA_WAIT_S if _SAYS_QUOTA.search(message) else _THROTTLE_S
                return (TryLater(wait_seconds(answer.retry_after, "", self._now()) if answer.retry_after else wait, detail),) * everyone
            case 400 if kind == "LimitExceededException":
                return (TryLater(_QUOTA_WAIT_S, detail),) * everyone
            case 400 if kind == "MessageRejected" and _SAYS_UNVERIFIED.search(message):
                raise ProviderFault(detail, hint=_ACCOUNT["MAIL_FROM_DOMAIN_NOT_VERIFIED"])
            case 401 | 403:
                raise CredentialsRefused(detail, hint=_KEY_HINT)
            case 404 | 405:
                raise _not_a_mail_interface(detail)
            case 408:  # the server says it did not wait for the request
                return (TryLater(_RETRY_S, detail),) * everyone
            case status if 300 <= status < 400:
                raise _not_a_mail_interface(detail)
            case status if 400 <= status < 500:
                return (Refused(RejectReason.OTHER, detail),) * everyone
            case _:  # 5xx: nothing says that it comes before the mail is queued; other 2xx: nobody documented them
                return (Unknown(detail),) * everyone

    def _entries(self, answer: Answer, everyone: int) -> Sequence[Outcome]:
        """200 says only that the call was read: each entry has a status of its own."""
        if "json" not in answer.content_type.lower():
            raise _not_a_mail_interface("ses answered 200 with something that is not its JSON")
        try:
            results = list(json.loads(answer.body)["BulkEmailEntryResults"])
            outcomes = [_entry(str(one["Status"]), one.get("MessageId") or "", one.get("Error") or "") for one in results]
        except (ValueError, LookupError, TypeError, AttributeError):
            return (Unknown("ses answered 200 without a list of results"),) * everyone
        if len(outcomes) != everyone:
            return (Unknown(f"ses answered 200 with {len(outcomes)} results for {everyone} entries"),) * everyone
        # Only when nobody was mailed may the whole call be taken back; otherwise the rest goes into a call that will say so.
        if all(str(one["Status"]) in _ACCOUNT for one in results):
            status = str(results[0]["Status"])
            raise ProviderFault(f"ses took no message: {status}: {without_addresses(results[0].get('Error') or '')}", hint=_ACCOUNT[status])
        return tuple(outcomes)


_KEY_HINT = (
    "Check BRIEFING_SES_ACCESS_KEY_ID and BRIEFING_SES_SECRET_ACCESS_KEY, that they may use ses:SendEmail and "
    "ses:SendBulkEmail in provider.ses.region, and that this machine's clock is right."
)


_READ_HINT = "Allow its user ses:ListSuppressedDestinations."


def _suppressed(item: object) -> Suppressed | None:
    if not isinstance(item, dict) or "@" not in str(item.get("EmailAddress")):
        return None
    bar = {"BOUNCE": Bar.BOUNCED, "COMPLAINT": Bar.COMPLAINED}.get(str(item.get("Reason")))
    try:
        since = datetime.fromtimestamp(float(item["LastUpdateTime"]), UTC)
    except (LookupError, ValueError, TypeError, OverflowError, OSError):
        return None
    return Suppressed(str(item["EmailAddress"]), bar, since) if bar is not None else None


def bulk_email(batch: Batch, configuration_set: str) -> dict[str, object]:
    """The request SendBulkEmail takes, by its own names. ValueError when the content or a header is not expressible."""
    content = batch.content
    for field in ("subject", "html", "text"):
        if "{{" in getattr(content, field):
            # SES documents no way to write it: there is no escape, and a variable without a value loses the message later.
            raise ValueError(f"{field} contains {{{{, which SES would take for a template variable")
    if not _TAG.fullmatch(batch.key):
        raise ValueError("the batch key does not fit a tag of SES (letters, digits, underscore, hyphen)")
    headers = list_headers(content, batch.recipients[0].unsubscribe_url)
    reply_to = headers.pop("Reply-To", "")
    del headers["List-Unsubscribe"], headers["List-Unsubscribe-Post"]
    request: dict[str, object] = {
        "FromEmailAddress": mailbox("From", content.from_name, content.from_address),
        "DefaultContent": {
            "Template": {
                "TemplateContent": {"Subject": single_line("Subject", content.subject), "Html": content.html, "Text": content.text},
                "TemplateData": "{}",
                "Headers": [_header(name, value) for name, value in headers.items()],
                **({"Attachments": [_picture(one) for one in content.inline]} if content.inline else {}),
            }
        },
        "BulkEmailEntries": [
            {
                "Destination": {"ToAddresses": [one.address]},
                # Both here: nothing says whether an entry's tags stand beside the call's or instead of them.
                "ReplacementTags": [_named("batch", batch.key), _named("subscriber", str(one.subscriber_id))],
                "ReplacementHeaders": [
                    _header("List-Unsubscribe", url_value("List-Unsubscribe", one.unsubscribe_url)),
                    _header("List-Unsubscribe-Post", ONE_CLICK),
                ],
                "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": "{}"}},
            }
            for one in batch.recipients
        ],
        "ConfigurationOverrides": {"Tracking": {"OpenTrackingEnabled": "DISABLED", "ClickTrackingEnabled": "DISABLED"}},
    }
    if reply_to:
        request["ReplyToAddresses"] = [reply_to]
    if configuration_set:
        request["ConfigurationSetName"] = configuration_set
    return request


def _header(name: str, value: str) -> dict[str, str]:
    if not _HEADER_VALUE.fullmatch(value) or len(name) + len(value) > _HEADER_LINE:
        raise ValueError(f"{name} does not fit a header of SES: up to 995 characters of plain ASCII")
    return {"Name": name, "Value": value}


def _picture(one: InlinePicture) -> dict[str, str]:
    """A picture that the mail carries, once for the whole call ("Working with email attachments" in the SES guide)."""
    if len(one.content_id) > _CONTENT_ID or len(one.media_type) > _CONTENT_ID:
        raise ValueError(f"the Content-ID of a picture would have {len(one.content_id)} characters; SES takes {_CONTENT_ID}")
    return {
        "RawContent": base64.b64encode(one.data).decode(),
        "ContentDisposition": "INLINE",
        "FileName": one.name,
        "ContentId": one.content_id,
        "ContentTransferEncoding": "BASE64",
        "ContentType": one.media_type,
    }


def _named(name: str, value: str) -> dict[str, str]:
    return {"Name": name, "Value": value}


def _entry(status: str, message_id: str, error: str) -> Outcome:
    """One entry's status (BulkEmailEntryResult) in our words."""
    detail = f"ses answered {status}: {without_addresses(error)}"
    match status:
        case "SUCCESS":
            return Accepted(str(message_id)) if message_id else Unknown("ses took it without a message id")
        case "ACCOUNT_THROTTLED":
            return TryLater(_THROTTLE_S, detail)
        case "ACCOUNT_DAILY_QUOTA_EXCEEDED":
            return TryLater(_QUOTA_WAIT_S, detail)
        case "TRANSIENT_FAILURE":
            return TryLater(_RETRY_S, detail)
        case "INVALID_PARAMETER" | "INVALID_PARAMETER_VALUE" if _ABOUT_ADDRESS.search(error) and not _SAYS_UNVERIFIED.search(error):
            return Refused(RejectReason.INVALID, detail)
        case "INVALID_PARAMETER" | "INVALID_PARAMETER_VALUE" | "MESSAGE_REJECTED" | "FAILED":
            return Refused(RejectReason.OTHER, detail)
        case "TEMPLATE_NOT_FOUND" | "TEMPLATE_DOES_NOT_EXIST":  # we name none
            return Refused(RejectReason.OTHER, detail)
        case _ if status in _ACCOUNT:
            return TryLater(_RETRY_S, detail)
        case _:
            return Unknown(detail)


def _said(answer: Answer) -> tuple[str, str]:
    """The name of the error, from its header or the JSON, and its words."""
    kind = answer.headers.get("x-amzn-errortype", "")
    try:
        document = json.loads(answer.body)
        kind = kind or str(document.get("__type") or document.get("code") or "")
        message = str(document.get("message") or document.get("Message") or "")
    except (ValueError, AttributeError):
        message = answer.body
    return kind.partition(":")[0].rpartition("#")[2], message


def _not_a_mail_interface(detail: str) -> ProviderFault:
    return ProviderFault(f"{detail}; no mail was taken", hint="Check provider.ses.region and provider.ses.base_url (usually left out).")
