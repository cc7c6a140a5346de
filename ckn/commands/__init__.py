"""The commands of `ckn`: one file for each, or for several that are similar."""

from ckn.commands.group import app

__all__ = ["app"]
