"""Raises when it is imported, one call deep."""

import helper

helper.lookup({})
