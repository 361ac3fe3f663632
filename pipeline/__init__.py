"""Briefing: a newsletter publishing pipeline for newsrooms."""

__version__ = "0.1.0"
