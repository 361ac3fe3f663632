"""What receivers find in the DNS about our mail: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489). Reads TXT records and no more."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import dns.exception
import dns.resolver

from pipeline.providers.base import SendingNames

Lookup = Callable[[str], list[str]]
"""The TXT records of a name, none when there are none. Raises Unasked when nobody answers."""

TIMEOUT_S = 5.0
SPF_DEPTH = 10
"""How many look-ups one evaluation may need (RFC 7208 section 4.6.4)."""


class Unasked(Exception):
    """The DNS gave no answer: neither that there is a record, nor that there is none."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked up."""

    what: str
    ok: bool
    said: str


def txt_lookup(nameserver: str = "", port: int = 53) -> Lookup:
    """Asks the system's name servers, or the one named."""
    resolver = dns.resolver.Resolver(configure=not nameserver)
    if nameserver:
        resolver.nameservers, resolver.port = [nameserver], port
    resolver.lifetime = TIMEOUT_S

    def look(name: str) -> list[str]:
        try:
            answer = resolver.resolve(name, "TXT", search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            raise Unasked(f"the DNS gave no answer for {name} ({type(error).__name__})") from None
        # A record is a row of strings that are read as one (RFC 7208 section 3.3, RFC 6376 section 3.6.2.2).
        return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]

    return look


def examine(from_domain: str, names: SendingNames, lookup: Lookup) -> list[Finding]:
    """What the DNS says of mail from that domain that leaves under those names."""
    steps = (("SPF", _spf), ("DKIM", _dkim), ("DMARC", _dmarc))
    found = []
    for what, step in steps:
        try:
            found.append(Finding(f"{what} of {from_domain}", *step(from_domain.lower(), names, lookup)))
        except Unasked as error:
            found.append(Finding(f"{what} of {from_domain}", False, str(error)))
    return found


def _spf(_: str, names: SendingNames, lookup: Lookup) -> tuple[bool, str]:
    if not names.envelope:
        return True, "the envelope is the provider's own, and so is its record"
    records = [one for one in lookup(names.envelope) if re.match(r"v=spf1(\s|$)", one, re.IGNORECASE)]
    if not records:
        missing = f"{names.envelope} has no SPF record"
        if names.envelope_optional:
            return True, f"{missing}: mail leaves under the provider's own envelope, unless it was given another name"
        return False, f"{missing}: add a TXT record that begins with v=spf1"
    if len(records) > 1:
        return False, f"{names.envelope} has {len(records)} SPF records, which counts as a fault: leave one"
    if names.spf_includes and not _includes(records[0], names.spf_includes, lookup, [SPF_DEPTH]):
        return False, f"{names.envelope} has an SPF record without include:{names.spf_includes}"
    return True, f"{names.envelope} has an SPF record" + (f" that includes {names.spf_includes}" if names.spf_includes else "")


def _includes(record: str, wanted: str, lookup: Lookup, left: list[int]) -> bool:
    """Whether a record leads to the wanted name, by itself or through what it includes."""
    for target in re.findall(r"(?:\binclude:|\bredirect=)([^\s]+)", record, re.IGNORECASE):
        target = target.lower().rstrip(".")
        if target == wanted or target.endswith(f".{wanted}"):
            return True
        left[0] -= 1
        if left[0] < 0:
            return False
        if any(_includes(one, wanted, lookup, left) for one in lookup(target) if one.lower().startswith("v=spf1")):
            return True
    return False


def _dkim(_: str, names: SendingNames, lookup: Lookup) -> tuple[bool, str]:
    if not names.dkim_domain:
        return True, "we do not sign; whether the server does, a test mail shows"
    if not names.dkim_selector:
        return (
            True,
            f"the provider signs for {names.dkim_domain} under a selector that only it knows: its control panel says whether it is there",
        )
    name = f"{names.dkim_selector}._domainkey.{names.dkim_domain}"
    records = [tags(one) for one in lookup(name)]
    keys = [re.sub(r"\s", "", one["p"]) for one in records if "p" in one and one.get("v", "DKIM1") == "DKIM1"]
    if not keys:
        return False, f"{name} has no key: add the TXT record that belongs to the private key"
    if not any(keys):
        return False, f"{name} says that its key was withdrawn (an empty p=)"
    if names.dkim_key and names.dkim_key not in keys:
        return False, f"{name} has another key than the one we sign with"
    return True, f"{name} has " + ("the key that we sign with" if names.dkim_key else "a key")


def _dmarc(from_domain: str, names: SendingNames, lookup: Lookup) -> tuple[bool, str]:
    found = _policy(from_domain, lookup)
    if found is None:
        return False, f"_dmarc.{from_domain} has no DMARC record: large mailbox providers ask for one (v=DMARC1; p=none is a beginning)"
    at, policy = found
    said = f"_dmarc.{at} says p={policy.get('p', '?')}"
    ways = [("SPF", names.envelope, policy.get("aspf", "r")), ("DKIM", names.dkim_domain, policy.get("adkim", "r"))]
    known = [(what, domain, strictness) for what, domain, strictness in ways if domain]
    aligned = [what for what, domain, strictness in known if _aligned(from_domain, domain.lower(), strictness, lookup)]
    if aligned:
        return True, f"{said}; {' and '.join(aligned)} fit the From address"
    if not known:
        return True, f"{said}; whether it fits is decided by what the server signs"
    others = ", ".join(f"{what} is for {domain}" for what, domain, _ in known)
    return False, f"{said}, but neither SPF nor DKIM fits the From address: {others}"


def _policy(domain: str, lookup: Lookup) -> tuple[str, dict[str, str]] | None:
    """The record of a domain or of the nearest one above it that has one; several at one name count as none."""
    labels = domain.split(".")
    for start in range(max(len(labels) - 1, 1)):
        name = ".".join(labels[start:])
        records = [tags(one) for one in lookup(f"_dmarc.{name}") if re.match(r"v\s*=\s*DMARC1\s*(;|$)", one)]
        if len(records) == 1:
            return name, records[0]
    return None


def _aligned(from_domain: str, domain: str, strictness: str, lookup: Lookup) -> bool:
    """Whether two domains belong together: the same, or, unless strictness is asked for, of one organisation.

    Of one organisation are a domain and one below it, and two whose nearest record stands at one name: without a list of public suffixes,
    as the revision of DMARC has it.
    """
    if domain == from_domain:
        return True
    if strictness.strip().lower() == "s":
        return False
    if domain.endswith(f".{from_domain}") or from_domain.endswith(f".{domain}"):
        return True
    mine, other = _policy(from_domain, lookup), _policy(domain, lookup)
    return mine is not None and other is not None and mine[0] == other[0]


def tags(record: str) -> dict[str, str]:
    """``a=b; c=d`` as a table (RFC 6376 section 3.2)."""
    pairs = (one.partition("=") for one in record.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}
