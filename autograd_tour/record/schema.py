"""The form of a saved trace as JSON Schema, made from the data model itself."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from autograd_tour.record.codec import SCHEMA, TraceFile

__all__ = ["DIALECT", "schema_text"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_text() -> str:
    """JSON Schema of what ``dumps`` writes, as JSON with a line at its end.

    It holds types, words and required fields. What must hold between fields, such as that an edge names
    nodes which are there, is in :func:`autograd_tour.record.validate.validate`.
    """
    form: dict[str, Any] = msgspec.json.schema(TraceFile, ref_template="#/$defs/{name}")
    for definition in form["$defs"].values():
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
    schema = {"$schema": DIALECT, "title": f"A trace of autograd-tour, schema {SCHEMA}", **form}
    return msgspec.json.format(msgspec.json.encode(schema), indent=1).decode() + "\n"
