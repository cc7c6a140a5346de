"""The commands of `ckn`: one file for each, or for those that are much alike."""

from ckn.commands.group import app

__all__ = ["app"]
