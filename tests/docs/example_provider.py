"""The worked example of docs/providers/adding.md, taken from the page and loaded as a module; and the service that it speaks to."""

from __future__ import annotations

import importlib.util
import re
import sys
import uuid
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.docs.providers_page import ROOT
from tests.providers.capture import Request, message

PAGE = ROOT / "docs" / "providers" / "adding.md"


def load(folder: Path) -> ModuleType:
    """The page's first block of Python, as the module it says it is."""
    found = re.search(r"(?ms)^```python\n(.*?)^```$", PAGE.read_text("utf-8"))
    assert found, "the page has no example"
    path = folder / "postbox.py"
    path.write_text(found[1], "utf-8")
    spec = importlib.util.spec_from_file_location("postbox_of_the_page", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class PostboxServer:
    """The made-up service: POST /v1/messages takes a list and keeps a key for a day."""

    def __init__(self, api_key: str) -> None:
        self.mails: list[Any] = []
        self._api_key, self._seen = api_key, dict[str, Any]()

    def __call__(self, request: Request) -> tuple[int, Any]:
        """Answers one request."""
        if request.headers.get("authorization") != f"Bearer {self._api_key}":
            return 401, {"error": "no such key"}
        if request.path != "/v1/messages":
            return 404, {"error": "no such page"}
        key = request.headers["idempotency-key"]
        if key not in self._seen:
            ids = [f"{uuid.uuid4()}@postbox.example" for _ in request.json()]
            for id, one in zip(ids, request.json(), strict=True):
                mail = message(id, sender=one["from"], to=one["to"], reply_to=None, subject=one["subject"], html=one["html"],
                               text=one["text"], headers=one["headers"])  # fmt: skip
                self.mails.append(mail)
            self._seen[key] = {"ids": ids}
        return 200, self._seen[key]
