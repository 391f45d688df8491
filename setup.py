"""Everything about the package stands in pyproject.toml; this file is for programs that look for it."""

from setuptools import setup

setup()
