"""The editors' live preview: one draft in the shapes its readers will see, on this machine only."""

from pipeline.web.preview.app import create_preview

__all__ = ["create_preview"]
