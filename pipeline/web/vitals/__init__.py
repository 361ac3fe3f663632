"""Signs of life and metrics for machines that watch, on a port of their own."""

from pipeline.web.vitals.app import create_vitals

__all__ = ["create_vitals"]
