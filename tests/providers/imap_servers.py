"""A real IMAP server for tests: Dovecot, on a port of this machine, with a mailbox of its own. Skips, visibly, without it."""

from __future__ import annotations

import getpass
import imaplib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from tests.providers.smtp_servers import certificate

USER, PASSWORD = "seed", "a-password-of-tests"


@dataclass(frozen=True)
class Mailserver:
    """Where it listens, and a way to put mail into it."""

    port: int
    tls_port: int
    certificate: Path

    def put(self, message: bytes, at: datetime, folder: str = "INBOX") -> None:
        """Appends a message as if it had arrived at that time."""
        with imaplib.IMAP4("127.0.0.1", self.port) as client:
            client.login(USER, PASSWORD)
            client.create(folder)
            said, why = client.append(folder, "", imaplib.Time2Internaldate(at), message)
            assert said == "OK", why


@contextmanager
def dovecot(folder: Path) -> Iterator[Mailserver]:
    """Dovecot 2.3 on two free ports: one in plain text, one with TLS from the first byte."""
    binary = shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if binary is None or not Path("/usr/lib/dovecot/imap").exists():
        pytest.skip("Dovecot is not installed (Debian: dovecot-imapd)")
    _, public = certificate(folder)
    me, ports = getpass.getuser(), [_free_port(), _free_port()]
    # Dovecot does not let root read mail: its mailbox belongs to somebody without rights then.
    owner = "nobody" if me == "root" else me
    (home := folder / "mail").mkdir()
    for one in (folder, home, *folder.parents[:3]):
        one.chmod(one.stat().st_mode | 0o055)
    if owner != me:
        shutil.chown(home, owner)
    (folder / "dovecot.conf").write_text(
        f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
default_internal_user = {owner}
default_login_user = {owner}
default_internal_group = {"nogroup" if owner == "nobody" else _group()}
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{public}
ssl_key = <{public.with_suffix(".key")}
ssl_dh =
disable_plaintext_auth = no
auth_failure_delay = 0
mail_location = maildir:{home}/Maildir
first_valid_uid = 1
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={owner} gid={"nogroup" if owner == "nobody" else _group()} home={home}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {ports[0]}
  }}
  inet_listener imaps {{
    port = {ports[1]}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
""",
        "utf-8",
    )
    server = subprocess.Popen([binary, "-F", "-c", str(folder / "dovecot.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _wait(ports, server, folder)
        yield Mailserver(ports[0], ports[1], public)
    finally:
        server.terminate()
        server.communicate(timeout=10)


def _group() -> str:
    import grp
    import os

    return grp.getgrgid(os.getgid()).gr_name


def _wait(ports: list[int], server: subprocess.Popen[bytes], folder: Path) -> None:
    for port in ports:
        for _ in range(100):
            if server.poll() is not None:
                raise AssertionError(f"dovecot ended: {server.stderr.read() if server.stderr else b''!r}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise AssertionError((folder / "log").read_text("utf-8") if (folder / "log").exists() else "dovecot does not listen")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
