"""Resend's batch interface (POST /emails/batch): up to 100 whole messages in one call, kept under our key for a day.

The content is the same in every message, so it is put into JSON once and joined in between the few words that differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from pipeline.clock import Clock
from pipeline.core.feedback import Bar
from pipeline.core.headers import address_value, list_headers, single_line, url_value
from pipeline.core.message import Accepted, Batch, Outcome, Refused, RejectReason, TryLater, Unknown
from pipeline.errors import CredentialsRefused, ProviderFault
from pipeline.providers.base import Asked, Call, Capabilities, PlaceForgotten, Provider, SendingNames, Suppressed, SuppressedPage
from pipeline.providers.guard import check_batch, check_without_pictures
from pipeline.providers.http_call import Answer, HttpCaller, InDoubt, NotSent, outcomes_of
from pipeline.providers.mailgun_answers import wait_seconds, without_addresses

CAPABILITIES = Capabilities(
    batch_size=100,
    # Their limit for one message after encoding ("Send Email"); none is documented for a call, so it gets the same.
    payload_limit=40_000_000,
    per_recipient_headers=True,
    idempotency_window_s=86_400,
    lookup=False,
    call_limit_s=60,
    lookup_settles_s=None,
    signed_webhooks=True,
    # Opens and clicks are a property of the sending domain there.
    tracking_switch=False,
    suppressions=True,
)

_RETRY_S = 10.0
# Quotas of a day and of a month: asking again soon would only use up the rate limit.
_QUOTA_WAIT_S = {"daily_quota_exceeded": 3600.0, "monthly_quota_exceeded": 21_600.0}
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_PLAIN_NAME = re.compile(r'[^()<>@,;:\\".\[\]]+')
_ORIGINS = {"bounce": Bar.BOUNCED, "complaint": Bar.COMPLAINED, "manual": Bar.MANUAL}
"""Why an address is on Resend's list (its OpenAPI document, ListSuppressionsResponseSuccess)."""
_ABOUT_RECIPIENT = re.compile(r"[`'\"]to[`'\"]|\bto field\b|recipient", re.IGNORECASE)


class Resend(Provider):
    """A provider adapter (``providers.base.Provider``) for Resend. Its news: ``resend_events``."""

    name = "resend"

    def __init__(self, *, api_key: str, base_url: str, now: Clock, timeout_s: float = 60) -> None:
        """``timeout_s`` bounds a whole call. ValueError when ``base_url`` is not one."""
        self.capabilities = replace(CAPABILITIES, call_limit_s=timeout_s)
        self._now = now
        self._caller = HttpCaller(base_url=base_url, bearer=api_key, timeout_s=timeout_s)

    def __repr__(self) -> str:  # no key
        return f"Resend(host={self._caller.host!r})"

    def compose(self, batch: Batch) -> Call:
        """One message a recipient, in the batch's order."""
        check_batch(batch, self.capabilities)
        check_without_pictures(batch.content)
        if not batch.recipients:
            return Call(batch=batch, body=b"")
        body = messages(batch)
        if len(body) > self.capabilities.payload_limit:
            raise ValueError(f"the call would be {len(body)} bytes; Resend takes {self.capabilities.payload_limit}")
        return Call(batch=batch, body=body, content_type="application/json")

    def submit(self, call: Call) -> Sequence[Outcome]:
        """Posts the messages under the batch's key, and reads one outcome for each."""
        batch = call.batch
        if not batch.recipients:
            return ()
        # Permissive: an address that Resend does not like is refused alone and by name (decision 17).
        headers = {"idempotency-key": batch.key, "x-batch-validation": "permissive"}
        return outcomes_of(
            len(batch.recipients),
            lambda: self._caller.post(
                "/emails/batch", content=call.body, content_type=call.content_type, headers=headers, leave_by=call.leave_by
            ),
            lambda answer: self._outcomes(batch, answer),
        )

    def close(self) -> None:
        """Lets go of connections."""
        self._caller.close()

    def suppressed(self, place: str) -> SuppressedPage:
        """A page of the account's list (GET /suppressions). A place is the id of the last entry before it."""
        answer = self._get(f"/suppressions?{urlencode({'limit': 100, **({'after': place} if place else {})})}")
        if place and answer.status in (400, 404, 422):
            raise PlaceForgotten
        try:
            document = json.loads(answer.body)
            items, more = list(document["data"]), bool(document.get("has_more"))
            last = str(items[-1]["id"]) if items and more else ""
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ProviderFault(f"resend answered {answer.status} to a question for its suppressions, without a list") from None
        entries = [one for one in map(_suppressed, items) if one is not None]
        return SuppressedPage(entries, last, len(items) - len(entries))

    def ask(self) -> Asked:
        """The account's domains (GET /domains). A key that may only send is refused them by name, which proves that it is a key."""
        try:
            answer = self._caller.get("/domains")
        except (NotSent, InDoubt) as error:
            raise ProviderFault(f"resend cannot be asked: {error}") from None
        kind, message = _said(answer)
        if kind == "restricted_api_key":
            return Asked("knows the key, which may only send", answer.date)
        self._refuse(answer, kind, message)
        try:
            names = {str(one["name"]): str(one["status"]) for one in json.loads(answer.body)["data"]}
        except (ValueError, LookupError, TypeError, AttributeError):
            raise _not_a_mail_interface(f"resend answered {answer.status} without a list of domains") from None
        known = ", ".join(f"{name} is {status}" for name, status in sorted(names.items()))
        return Asked(f"knows the key; {known or 'it has no domain yet'}", answer.date)

    def names(self, from_domain: str) -> SendingNames | None:
        """What Resend proposes for a domain ("Domains" in its documentation): selector ``resend``, return path ``send.<domain>``."""
        return SendingNames(
            envelope=f"send.{from_domain}",
            spf_includes="amazonses.com",
            envelope_optional=True,
            dkim_domain=from_domain,
            dkim_selector="resend",
        )

    def _get(self, path: str) -> Answer:
        try:
            answer = self._caller.get(path)
        except (NotSent, InDoubt) as error:
            raise ProviderFault(f"resend cannot be asked: {error}") from None
        self._refuse(answer, *_said(answer))
        return answer

    def _refuse(self, answer: Answer, kind: str, message: str) -> None:
        if answer.status in (401, 403):
            detail = f"resend answered {answer.status}{f' {kind}' if kind else ''}: {without_addresses(message)}"
            raise CredentialsRefused(detail, hint=_READ_HINT if kind == "restricted_api_key" else _KEY_HINT)

    def _outcomes(self, batch: Batch, answer: Answer) -> Sequence[Outcome]:
        """The table of what each status means; the order of its rows does not matter."""
        everyone = len(batch.recipients)
        kind, message = _said(answer)
        detail = f"resend answered {answer.status}{f' {kind}' if kind else ''}: {without_addresses(message)}"
        match answer.status:
            case 200:
                return self._taken(answer, everyone)
            case 401 | 403:
                raise CredentialsRefused(detail, hint=_KEY_HINT if "api_key" in kind else _DOMAIN_HINT)
            case 404 | 405:
                raise _not_a_mail_interface(detail)
            case 408 | 425:  # the server says it did not wait for, or did not read, the request
                return (TryLater(_RETRY_S, detail),) * everyone
            case 409:  # the key is at work in another call of ours, or was used with other bytes: something of ours arrived
                return (Unknown(detail),) * everyone
            case 429:
                return (self._later(answer, kind, detail),) * everyone
            case status if 300 <= status < 400:
                raise _not_a_mail_interface(detail)
            case status if 400 <= status < 500:
                return (Refused(RejectReason.OTHER, detail),) * everyone
            case _:  # 5xx: nothing says that it comes before the mail is queued; other 2xx: nobody documented them
                return (Unknown(detail),) * everyone

    def _later(self, answer: Answer, kind: str, detail: str) -> TryLater:
        """429: the rate of a second, with its headers (draft-ietf-httpapi-ratelimit-headers-06), or a quota."""
        said = answer.retry_after or answer.headers.get("ratelimit-reset", "")
        wait = wait_seconds(said, "", self._now())
        if kind in _QUOTA_WAIT_S:
            wait = max(_QUOTA_WAIT_S[kind], wait if said else 0.0)
            detail = f"{detail}; the account's quota is used up, it is tried again in {wait / 3600:g} h"
        return TryLater(wait, detail)

    def _taken(self, answer: Answer, everyone: int) -> Sequence[Outcome]:
        """200: ids in order for what was taken, and the places of what was not. What does not add up is a doubt."""
        if "json" not in answer.content_type.lower():
            raise _not_a_mail_interface("resend answered 200 with something that is not its JSON")
        try:
            document = json.loads(answer.body)
            receipts = [str(one["id"]) for one in document["data"]]
            errors = {int(one["index"]): str(one.get("message", "")) for one in document.get("errors") or ()}
        except (ValueError, LookupError, TypeError, AttributeError):
            return (Unknown("resend answered 200 without a list of ids"),) * everyone
        if len(receipts) + len(errors) != everyone or not all(receipts) or not all(0 <= place < everyone for place in errors):
            return (Unknown(f"resend answered 200 with {len(receipts)} ids and {len(errors)} errors for {everyone} messages"),) * everyone
        ids = iter(receipts)
        return tuple(_refusal(errors[place]) if place in errors else Accepted(next(ids)) for place in range(everyone))


_KEY_HINT = "Check that BRIEFING_RESEND_API_KEY holds a key of this account that may send."
_READ_HINT = "Set BRIEFING_RESEND_API_KEY to a key with full access; one that may only send cannot read."
_DOMAIN_HINT = "Check at Resend that the domain of the newsletter's from_address is verified and that the account may send."


def _suppressed(item: object) -> Suppressed | None:
    if not isinstance(item, dict) or "@" not in str(item.get("email")):
        return None
    try:
        since = datetime.fromisoformat(str(item.get("created_at")))
    except ValueError:
        return None
    # One without a known origin is barred all the same: Resend will not mail it.
    bar = _ORIGINS.get(str(item.get("origin")), Bar.MANUAL)
    return Suppressed(str(item["email"]), bar, since.replace(tzinfo=since.tzinfo or UTC).astimezone(UTC))


def messages(batch: Batch) -> bytes:
    """The JSON array of the call, in UTF-8: the same bytes for the same batch. ValueError when something is not expressible."""
    if not _TAG.fullmatch(batch.key):
        raise ValueError("the batch key does not fit a tag of Resend's (letters, digits, underscore, hyphen)")
    content = batch.content
    headers = list_headers(content, batch.recipients[0].unsubscribe_url)
    reply_to = headers.pop("Reply-To", "")
    del headers["List-Unsubscribe"]
    shared = {
        "from": _mailbox(content.from_name, content.from_address),
        "subject": single_line("Subject", content.subject),
        "html": content.html,
        "text": content.text,
        **({"reply_to": reply_to} if reply_to else {}),
    }
    # {shared, "headers": {shared, "List-Unsubscribe": <own>}, "tags": [batch, subscriber: <own>], "to": [<own>]}
    before = f'{_json(shared)[:-1]},"headers":{_json(headers)[:-1]},"List-Unsubscribe":'.encode()
    tags = f'}},"tags":[{{"name":"batch","value":{_json(batch.key)}}},{{"name":"subscriber","value":"'.encode()
    pieces = [b"["]
    for one in batch.recipients:
        own = _json(url_value("List-Unsubscribe", one.unsubscribe_url)).encode()
        # Joined once, at the end: a hundred whole messages are five megabytes.
        pieces += [before, own, tags, b'%d"}],"to":[%b]}' % (one.subscriber_id, _json(one.address).encode()), b","]
    pieces[-1] = b"]"
    return b"".join(pieces)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _mailbox(name: str, address: str) -> str:
    """``name <address>`` in Unicode: Resend encodes names itself."""
    single_line("From", name)
    address = address_value("From", address)
    if not name:
        return address
    if not _PLAIN_NAME.fullmatch(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address}>"


def _refusal(message: str) -> Refused:
    """One message that was not taken. A fault of ours (a bad From, say) must not mark a good address as invalid."""
    reason = RejectReason.INVALID if _ABOUT_RECIPIENT.search(message) else RejectReason.OTHER
    return Refused(reason, f"resend refused it: {without_addresses(message)}")


def _said(answer: Answer) -> tuple[str, str]:
    """The name of the error and its words, from the answer's JSON or as it is."""
    try:
        document = json.loads(answer.body)
        return str(document.get("name", "")), str(document["message"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return "", answer.body


def _not_a_mail_interface(detail: str) -> ProviderFault:
    return ProviderFault(f"{detail}; no mail was taken", hint="Check provider.resend.base_url (usually left out).")
