"""The door for readers: the archive, and leaving a newsletter. No cookie, no script, no third party."""

from pipeline.web.public.app import create_public

__all__ = ["create_public"]
