"""Dead links: every link of some drafts is asked for once, politely, and the answers are kept for a while."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from urllib.parse import urldefrag, urlsplit

from pipeline import __version__
from pipeline.copydesk.evidence import Answer, Verdict
from pipeline.files import write_file
from pipeline.flow.context import Desk
from pipeline.flow.polite import Asker
from pipeline.settings import Settings

KEPT = {Verdict.ALIVE: timedelta(days=7), Verdict.DEAD: timedelta(days=1), Verdict.UNSURE: timedelta(hours=1)}
"""How long an answer holds."""

HOSTS_AT_ONCE = 6
MAX_LINKS = 500
"""Links that one run asks for; who has more runs it again, the cache remembers."""

LONGEST_RUN_S = 600.0
_MAX_CACHED = 5000
_NOT_ASKED = Answer(Verdict.UNSURE, "was not asked for in this run")


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: Answer
    at: datetime


def user_agent(settings: Settings) -> str:
    """How we introduce ourselves: what we are, and where to complain."""
    contact = next((newsletter.reply_to for newsletter in settings.newsletters.values()), "")
    return "; ".join(part for part in (f"briefing/{__version__} (link check", f"+{settings.newsroom.base_url}", contact) if part) + ")"


class LinkCheck:
    """The rounds over all hosts, with a memory."""

    def __init__(
        self, cache: Path, asker: Asker, clock: Callable[[], datetime], *, secure: bool = True, longest_run_s: float = LONGEST_RUN_S
    ) -> None:
        """``secure``: ask for http: links by https:, as the issue links to them; only tests do not."""
        self._path = cache
        self._asker = asker
        self._clock = clock
        self._secure = secure
        self._longest_run_s = longest_run_s

    def close(self) -> None:
        """Lets go of connections."""
        self._asker.close()

    def number(self, links: Iterable[str]) -> int:
        """How many pages these links name."""
        return len({url for link in links if (url := self._asked_for(link)) is not None})

    def ask(self, links: Iterable[str], tick: Callable[[int], None] = lambda done: None) -> dict[str, Answer]:
        """The answers by link as written; addresses that are no web pages have none. ``tick`` gets the number done. Raises DiskFault."""
        wanted = {link: url for link in links if (url := self._asked_for(link)) is not None}
        cache = self._read()
        now = self._clock()
        fresh = {url: kept.answer for url, kept in cache.items() if now - kept.at < KEPT[kept.answer.verdict]}
        missing = [url for url in dict.fromkeys(wanted.values()) if url not in fresh]
        done = len(set(wanted.values())) - len(missing)
        tick(done)
        found = self._rounds(missing[:MAX_LINKS], lambda number: tick(done + number))
        if found:
            self._write({url: kept for url, kept in cache.items() if url in fresh} | {u: _Kept(answer, now) for u, answer in found.items()})
        answers = fresh | found
        return {link: answers.get(url, _NOT_ASKED) for link, url in wanted.items()}

    def _asked_for(self, link: str) -> str | None:
        try:
            parts = urlsplit(link)
            if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
                return None
        except ValueError:
            return None
        url = urldefrag(link).url
        return "https" + url[4:] if self._secure and parts.scheme.lower() == "http" else url

    def _rounds(self, urls: list[str], tick: Callable[[int], None]) -> dict[str, Answer]:
        """Asks host by host. What is not answered when the time is up is left out."""
        hosts: defaultdict[str, list[str]] = defaultdict(list)
        for url in urls:
            hosts[urlsplit(url).hostname or ""].append(url)
        work: SimpleQueue[list[str]] = SimpleQueue()
        answered: SimpleQueue[tuple[str, Answer]] = SimpleQueue()
        for group in hosts.values():
            work.put(group)

        def walk() -> None:
            while True:
                try:
                    group = work.get_nowait()
                except Empty:
                    return
                for url in group:
                    answered.put((url, self._asker.ask(url)))

        # Daemons: a server that never ends its answer must not keep the command from ending.
        for _ in range(min(HOSTS_AT_ONCE, len(hosts))):
            Thread(target=walk, name="link-check", daemon=True).start()
        found: dict[str, Answer] = {}
        until = monotonic() + self._longest_run_s
        while len(found) < len(urls):
            try:
                url, answer = answered.get(timeout=max(0.0, until - monotonic()))
            except Empty:
                break
            found[url] = answer
            tick(len(found))
        return found

    def _read(self) -> dict[str, _Kept]:
        """The cache; a broken one is an empty one."""
        try:
            rows: Mapping[str, list[str]] = json.loads(self._path.read_text("utf-8"))
            return {
                url: _Kept(Answer(Verdict(verdict), said), datetime.fromisoformat(at)) for url, (verdict, said, at) in rows.items()
            }  # fmt: skip
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _write(self, cache: dict[str, _Kept]) -> None:
        newest = sorted(cache.items(), key=lambda one: one[1].at, reverse=True)[:_MAX_CACHED]
        rows = {url: [kept.answer.verdict.value, kept.answer.said, kept.at.isoformat()] for url, kept in newest}
        write_file(self._path, (json.dumps(rows, indent=1, ensure_ascii=False) + "\n").encode(), durable=False)


def open_check(desk: Desk) -> LinkCheck:
    """A link check with the newsroom's memory, ``var/links.json``."""
    asker = Asker(user_agent=user_agent(desk.settings), clock=desk.clock)
    return LinkCheck(desk.settings.var / "links.json", asker, desk.clock)
