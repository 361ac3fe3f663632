"""The headers of the preview: its own pages may run its own script, a draft's pages may run nothing."""

from __future__ import annotations

_COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

PAGE_GUARDS = _COMMON | {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; img-src 'self' data:;"
        " form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
}
"""For every answer that is not a frame."""


def frame_guards(styles: str) -> dict[str, str]:
    """The headers of a frame whose style may come from ``styles``: no script, no form, nothing from another machine.

    It keeps its origin so that the page around it may read how far it is scrolled, which is harmless as nothing can run
    in it; and a link may open a tab, since editors try their links.
    """
    policy = (
        "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
        f"style-src {styles}; img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    )
    return _COMMON | {"Content-Security-Policy": policy}
