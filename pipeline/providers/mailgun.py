"""Mailgun's messages interface (POST /v3/{domain}/messages), and anything that speaks it.

One call carries one content and up to 1000 recipients. What is personal travels as recipient variables and is put in
place by Mailgun in one header and one piece of metadata only, so the subject and both bodies stay identical for all.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote, urlencode

from pipeline.clock import Clock
from pipeline.core.address import address_key
from pipeline.core.event import Event
from pipeline.core.headers import list_headers, mailbox, single_line
from pipeline.core.message import Accepted, Batch, Content, Outcome, Refused, RejectReason, TryLater, Unknown
from pipeline.errors import CredentialsRefused, ProviderFault
from pipeline.providers import mailgun_lists
from pipeline.providers.base import Asked, Call, Capabilities, PlaceForgotten, Provider, SendingNames, SuppressedPage
from pipeline.providers.guard import check_batch
from pipeline.providers.http_call import Answer, HttpCaller, InDoubt, NotSent, outcomes_of
from pipeline.providers.mailgun_answers import recipients_named, wait_seconds, without_addresses
from pipeline.providers.mailgun_events import POLLED, read_event
from pipeline.providers.multipart import FormFile, form_data

OPTIONS_LIMIT = 16 * 1024
"""Octets of all ``o:``, ``h:``, ``v:`` and ``t:`` names and values of one call."""

CAPABILITIES = Capabilities(
    batch_size=1000,
    payload_limit=25_000_000,
    per_recipient_headers=True,
    idempotency_window_s=None,
    lookup=True,
    call_limit_s=60,
    # "Event Polling" in the documentation: after half an hour the events of a time are complete.
    lookup_settles_s=1800,
    signed_webhooks=True,
    tracking_switch=True,
    polling=True,
    suppressions=True,
)

_log = logging.getLogger("pipeline.providers")
_RETRY_S = 10.0
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9-]+")
# Mailgun would replace these wherever they stand, in the text of an article too.
_VARIABLE = re.compile(r"%(?:recipient(?:\.[^%]*)?|(?:tag_|mailing_list_)?unsubscribe_(?:url|email))%|%recipient\.", re.IGNORECASE)


class Mailgun(Provider):
    """A provider adapter (``providers.base.Provider``) for Mailgun; ``name`` decides which settings its errors point at."""

    def __init__(self, *, api_key: str, domain: str, base_url: str, now: Clock, timeout_s: float = 60, name: str = "mailgun") -> None:
        """``timeout_s`` bounds a whole call. ValueError when ``domain`` or ``base_url`` is not one."""
        if not _DOMAIN.fullmatch(domain):
            raise ValueError("domain is not a domain name")
        self.name = name
        self.capabilities = replace(CAPABILITIES, call_limit_s=timeout_s)
        self._domain = domain.lower()
        self._now = now
        self._caller = HttpCaller(base_url=base_url, username="api", password=api_key, timeout_s=timeout_s)

    def __repr__(self) -> str:  # no key
        return f"{type(self).__name__}(name={self.name!r}, domain={self._domain!r}, host={self._caller.host!r})"

    def compose(self, batch: Batch) -> Call:
        """One form for the whole batch."""
        check_batch(batch, self.capabilities)
        if not batch.recipients:
            return Call(batch=batch, body=b"")
        content_type, body = form_data(message_fields(batch, self._domain), inline_files(batch.content))
        if len(body) > self.capabilities.payload_limit:
            raise ValueError(f"the call would be {len(body)} bytes; {self.name} takes {self.capabilities.payload_limit}")
        return Call(batch=batch, body=body, content_type=content_type)

    def submit(self, call: Call) -> Sequence[Outcome]:
        """Posts the form.

        Besides what the protocol says, raises ProviderFault when what answers is certainly not a mail interface: no mail
        was taken then, and no other batch can do better.
        """
        batch = call.batch
        if not batch.recipients:
            return ()
        path, headers = f"/v3/{quote(self._domain)}/messages", self._extra_headers(batch)
        return outcomes_of(
            len(batch.recipients),
            lambda: self._caller.post(path, content=call.body, content_type=call.content_type, headers=headers, leave_by=call.leave_by),
            lambda answer: self._outcomes(batch, answer),
        )

    def lookup(self, batch: Batch) -> Sequence[str | None]:
        """Reads the ``accepted`` events of the batch's Message-Id, page by page (GET /v3/{domain}/events)."""
        message_id = f"{batch.key}@{self._domain}"
        query = urlencode({"event": "accepted", "message-id": message_id, "limit": 300})
        path, there = f"/v3/{quote(self._domain)}/events?{query}", set[str]()
        for _ in range(2 + self.capabilities.batch_size // 100):
            items, path = self._page(path)
            there.update(address_key(str(item.get("recipient", ""))) for item in items)
            if not items or not path:
                break
        return [message_id if address_key(one.address) in there else None for one in batch.recipients]

    def mailed(self, campaign: str) -> Mapping[str, str]:
        """Reads the ``accepted`` events of everything tagged with the campaign, to the last page."""
        query = urlencode({"event": "accepted", "tags": campaign, "limit": 300})
        path, there = f"/v3/{quote(self._domain)}/events?{query}", dict[str, str]()
        while path:
            items, path = self._page(path)
            if not items:
                break
            for item in items:
                message = item.get("message")
                headers = message.get("headers") if isinstance(message, dict) else None
                receipt = str(headers.get("message-id", "")) if isinstance(headers, dict) else ""
                there[address_key(str(item.get("recipient", "")))] = receipt or campaign
        return there

    def events_between(self, since: datetime, until: datetime) -> Iterator[Sequence[Event]]:
        """Reads the events of a time (GET /v3/{domain}/events), 300 a page. One that cannot be read is passed over."""
        wanted = {"begin": f"{since.timestamp():.6f}", "end": f"{until.timestamp():.6f}", "ascending": "yes", "limit": 300}
        path = f"/v3/{quote(self._domain)}/events?{urlencode({**wanted, 'event': ' OR '.join(POLLED)})}"
        while path:
            items, path = self._page(path)
            if not items:
                return
            found = []
            for item in items:
                try:
                    found.append(read_event(item))
                except ValueError as error:
                    _log.warning("%(provider)s: an event was passed over: %(why)s", {"provider": self.name, "why": str(error)})
            yield [one for one in found if one is not None]

    def suppressed(self, place: str) -> SuppressedPage:
        """A page of the bounces, then of the complaints, then of the unsubscribes. A place is the path of a page."""
        path = place or mailgun_lists.first_page(self._domain, next(iter(mailgun_lists.LISTS)))
        name = mailgun_lists.list_of(self._domain, path)
        if name is None:
            raise PlaceForgotten
        answer = self._get(path)
        if place and answer.status in (400, 404, 410):
            raise PlaceForgotten
        return mailgun_lists.read_page(self._domain, name, *self._items(answer))

    def ask(self) -> Asked:
        """One event of the domain: the key, the domain and the right to search."""
        return self._ask(f"/v3/{quote(self._domain)}/events?limit=1", "answers a search")

    def _ask(self, path: str, said: str) -> Asked:
        answer = self._get(path)
        if answer.status == 404:
            raise self._domain_unknown(f"{self.name} answered 404")
        self._items(answer)
        return Asked(said, answer.date)

    def names(self, from_domain: str) -> SendingNames | None:
        """Mail leaves under the sending domain; which selector signs is known to Mailgun only."""
        return SendingNames(envelope=self._domain, spf_includes="mailgun.org", dkim_domain=self._domain)

    def _page(self, path: str) -> tuple[list[dict[str, object]], str]:
        """One page of events and the path of the next. Raises ProviderFault, CredentialsRefused."""
        return self._items(self._get(path))

    def _get(self, path: str) -> Answer:
        try:
            answer = self._caller.get(path)
        except (NotSent, InDoubt) as error:
            raise ProviderFault(f"{self.name} cannot be asked: {error}", hint="It is asked again by itself.") from None
        if answer.status in (401, 403):
            raise self._credentials_refused(f"{self.name} answered {answer.status} to a search")
        return answer

    def _items(self, answer: Answer) -> tuple[list[dict[str, object]], str]:
        try:
            document = json.loads(answer.body)
            items, following = list(document["items"]), str(document.get("paging", {}).get("next", ""))
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ProviderFault(f"{self.name} answered {answer.status} to a search, without a list") from None
        # The address of the next page is theirs; only its path is followed, so that our key goes to no other host.
        _, found, path = following.partition("/v3/")
        return items, f"/v3/{path}" if found else ""

    def close(self) -> None:
        """Lets go of connections."""
        self._caller.close()

    def _extra_headers(self, batch: Batch) -> Mapping[str, str]:
        """Besides what every call has; for a subclass whose provider reads more than Mailgun does."""
        return {}

    def _outcomes(self, batch: Batch, answer: Answer) -> Sequence[Outcome]:
        """The table of what each status means; the order of its rows does not matter."""
        everyone = len(batch.recipients)
        detail = f"{self.name} answered {answer.status}: {without_addresses(_message(answer))}"
        match answer.status:
            case 200:
                return (self._taken(answer),) * everyone
            case 400:
                return _refusals(batch, answer, detail)
            case 401 | 403:
                raise self._credentials_refused(detail)
            case 404:
                raise self._domain_unknown(detail)
            case 408 | 425:  # the server says it did not wait for, or did not read, the request
                return (TryLater(_RETRY_S, detail),) * everyone
            case 420 | 429:  # 420 has been seen in the field
                return (TryLater(wait_seconds(answer.retry_after, answer.body, self._now()), detail),) * everyone
            case status if 300 <= status < 400:
                raise self._not_a_mail_interface(detail)
            case status if 400 <= status < 500:  # 413 too: it will be as large the next time
                return (Refused(RejectReason.OTHER, detail),) * everyone
            case _:  # 5xx: nothing says that it comes before the mail is queued; other 2xx: nobody documented them
                return (Unknown(detail),) * everyone

    def _taken(self, answer: Answer) -> Outcome:
        """A 200 with an id is a receipt; a damaged one is a doubt; a page of something else is a wrong address."""
        if "magnificent api" in answer.body.lower() or "json" not in answer.content_type.lower():
            raise self._not_a_mail_interface(f"{self.name} answered 200 with something that is not its JSON")
        try:
            receipt = str(json.loads(answer.body)["id"]).strip().removeprefix("<").removesuffix(">")
        except (ValueError, LookupError, TypeError):
            return Unknown(f"{self.name} answered 200 without a message id")
        return Accepted(receipt) if receipt else Unknown(f"{self.name} answered 200 without a message id")

    def _credentials_refused(self, detail: str) -> CredentialsRefused:
        variable = f"BRIEFING_{self.name.upper()}_API_KEY"
        return CredentialsRefused(
            detail,
            hint=f"Check that {variable} holds the sending key of {self._domain} and that the account may send.",
        )

    def _domain_unknown(self, detail: str) -> CredentialsRefused:
        return CredentialsRefused(
            f"{detail} ({self._domain} is not a domain of this account)",
            hint=f"Check provider.{self.name}.domain, and provider.{self.name}.base_url if the account is in another region.",
        )

    def _not_a_mail_interface(self, detail: str) -> ProviderFault:
        return ProviderFault(
            f"{detail}; no mail was taken",
            hint=f"Check provider.{self.name}.base_url (no /v3 at its end) and provider.{self.name}.domain.",
        )


def message_fields(batch: Batch, domain: str) -> list[tuple[str, str | list[str]]]:
    """The form of one call, in order. Raises ValueError when the content or the options are not expressible."""
    content = batch.content
    for field in ("subject", "html", "text", "from_name", "from_address", "reply_to", "list_name", "archive_url"):
        if _VARIABLE.search(getattr(content, field)):
            raise ValueError(f"{field} contains a Mailgun variable such as %recipient.x%, which would be replaced")
    headers = list_headers(content, batch.recipients[0].unsubscribe_url)
    headers["List-Unsubscribe"] = "<%recipient.unsub%>"
    headers["Message-Id"] = f"<{batch.key}@{domain}>"  # known before the call leaves, so that a lost answer can be looked up
    options = [
        *((f"h:{name}", value) for name, value in headers.items()),
        ("v:batch", batch.key),
        ("v:campaign", single_line("v:campaign", batch.campaign)),
        ("v:subscriber", "%recipient.sid%"),
        ("o:tag", batch.campaign),
        ("o:tracking", "no"),
        ("o:tracking-opens", "no"),
        ("o:tracking-clicks", "no"),
    ]
    size = sum(len(name.encode()) + len(value.encode()) for name, value in options)
    if size > OPTIONS_LIMIT:
        raise ValueError(f"the headers and options of the call are {size} bytes; Mailgun takes {OPTIONS_LIMIT}")
    ids, addresses, urls = zip(*batch.recipients, strict=True)
    # As json.dumps writes a dictionary of dictionaries, in a fraction of the time.
    variables = [
        f'"{address}":{{"unsub":"{url}","sid":"{id}"}}' for id, address, url in zip(ids, _quoted(addresses), _quoted(urls), strict=True)
    ]
    return [
        ("from", mailbox("From", content.from_name, content.from_address)),
        ("to", list(addresses)),
        ("subject", single_line("Subject", content.subject)),
        ("html", content.html),
        ("text", content.text),
        # Without it every recipient would see the addresses of all.
        ("recipient-variables", "{" + ",".join(variables) + "}"),
        *options,
    ]


def _quoted(values: Sequence[str]) -> list[str]:
    """Each value as it stands between the quotation marks of a JSON string. None holds DEL, which JSON leaves as it is."""
    return json.dumps("\x7f".join(values), ensure_ascii=False)[1:-1].split("\x7f")


def inline_files(content: Content) -> list[FormFile]:
    """The pictures that the mail carries. Mailgun makes each file's name its Content-ID, so that name is what the HTML asks for."""
    return [FormFile("inline", one.content_id, one.media_type, one.data) for one in content.inline]


def _refusals(batch: Batch, answer: Answer, detail: str) -> Sequence[Outcome]:
    """400: the whole call was refused and nobody was mailed. Whose fault it is decides what becomes of the others."""
    message = _message(answer)
    about_recipient = "'to' parameter" in message.lower() or "to parameter" in message.lower()
    if len(batch.recipients) == 1:
        # A fault of ours (a bad From, say) must not mark a good address as invalid.
        named = recipients_named(message, batch.recipients)
        return (Refused(RejectReason.INVALID if about_recipient or named else RejectReason.OTHER, detail),)
    guilty = recipients_named(message, batch.recipients)
    if not guilty:
        return (Refused(RejectReason.OTHER, detail),) * len(batch.recipients)
    innocent = TryLater(0.0, "the call was refused for another recipient; nobody was mailed")
    return tuple(Refused(RejectReason.INVALID, detail) if r.subscriber_id in guilty else innocent for r in batch.recipients)


def _message(answer: Answer) -> str:
    """What the answer says, from its JSON or as it is."""
    try:
        return str(json.loads(answer.body)["message"])
    except (ValueError, LookupError, TypeError):
        return answer.body
