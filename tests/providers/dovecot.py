"""A Dovecot of the test's own: one account in a folder, on free ports of this machine, as an ordinary user."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.providers.smtp_servers import certificate

USER, PASSWORD = "bounces@news.example.org", "grüß-Gott 7"

_CONFIG = """
protocols = imap
listen = 127.0.0.1
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
auth_mechanisms = {mechanisms}
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_location = maildir:{root}/mail
passdb {{
  driver = passwd-file
  args = scheme=plain {root}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@dataclass(frozen=True)
class Dovecot:
    """A running server."""

    root: Path
    port: int
    tls_port: int
    certificate: Path

    def deliver(self, *mails: bytes) -> None:
        """Puts mails into the INBOX, as a delivery agent does (maildir: written beside, moved there)."""
        for number, raw in enumerate(mails):
            name = f"{time.time_ns()}.{number}.test"
            path = self.root / "mail" / "tmp" / name
            path.write_bytes(raw)
            _give(path)
            path.rename(self.root / "mail" / "new" / name)
            time.sleep(0.002)

    def files(self) -> list[str]:
        """The names of the mails, in which a maildir keeps their flags."""
        return sorted(path.name for folder in ("new", "cur") for path in (self.root / "mail" / folder).iterdir())

    def make_anew(self) -> None:
        """Forgets the numbers of the mails, as a mailbox that was restored or moved does."""
        for path in (self.root / "mail").glob("dovecot*"):
            path.unlink()


def _account() -> pwd.struct_passwd:
    """Whose process it is: ours, or nobody's when we are root, whom Dovecot does not want to be."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwnam(getpass.getuser())


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        account = _account()
        os.chown(path, account.pw_uid, account.pw_gid)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def dovecot(*, mechanisms: str = "plain login") -> Iterator[Dovecot]:
    """Runs one until the end of the block. Skips where there is none; CI must have it."""
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("dovecot is not installed; .ci/run installs dovecot-imapd")
        pytest.skip("dovecot is not installed (apt-get install dovecot-imapd)")
    # The path of a socket has at most about a hundred characters, which a test's own folder may exceed.
    root = Path(tempfile.mkdtemp(prefix="dovecot-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        account = _account()
        _, public = certificate(root)
        one = Dovecot(root, _free_port(), _free_port(), public)
        (root / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n", "utf-8")
        for folder in ("run", "state", "mail", "mail/tmp", "mail/new", "mail/cur"):
            (root / folder).mkdir()
        group = grp.getgrgid(account.pw_gid).gr_name
        config = _CONFIG.format(
            root=root, certificate=public, key=public.with_suffix(".key"), user=account.pw_name, group=group,
            uid=account.pw_uid, gid=account.pw_gid, plain=one.port, tls=one.tls_port, mechanisms=mechanisms,
        )  # fmt: skip
        (root / "conf").write_text(config, "utf-8")
        for path in (root, *root.rglob("*")):
            _give(path)
        who: dict[str, Any] = {}
        if os.geteuid() == 0:
            who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        quiet = subprocess.DEVNULL
        command = [program, "-F", "-c", str(root / "conf")]
        process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, cwd=root, **who)
        _wait(one, process)
        yield one
    finally:
        if process is not None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait(5)
        shutil.rmtree(root, ignore_errors=True)


def _wait(one: Dovecot, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", one.tls_port), 1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    log = one.root / "log"
    pytest.fail(f"dovecot did not start: {log.read_text('utf-8')[-2000:] if log.exists() else 'no log'}")
