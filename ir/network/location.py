"""Where in the user's source a node comes from, kept as metadata of the node."""

from __future__ import annotations

import json

import onnx_ir as ir

from mcc.ir.diagnostics import NOWHERE, Location

FILE = "mcc.file"
LINE = "mcc.line"
MODULE = "mcc.module"
_MORE = "mcc.more_locations"


def locate(node: ir.Node, *locations: Location) -> None:
    """Record the source locations of `node`, the most telling one first."""
    kept = tuple(dict.fromkeys(item for item in locations if item != NOWHERE))
    for key in (FILE, LINE, MODULE, _MORE):
        node.metadata_props.pop(key, None)
    if not kept:
        return
    first, more = kept[0], kept[1:]
    node.metadata_props[FILE] = first.file
    node.metadata_props[LINE] = str(first.line)
    node.metadata_props[MODULE] = first.module
    if more:
        rows = [[item.file, item.line, item.module] for item in more]
        node.metadata_props[_MORE] = json.dumps(rows)


def location_of(node: ir.Node) -> Location:
    """Return the first source location of `node`, or `NOWHERE`."""
    properties = node.metadata_props
    line = properties.get(LINE, "0")
    return Location(
        file=properties.get(FILE, ""),
        line=int(line) if line.isdecimal() else 0,
        module=properties.get(MODULE, ""),
    )


def locations_of(node: ir.Node) -> tuple[Location, ...]:
    """Return every source location of `node`: a fused node has those of all its origins."""
    first = location_of(node)
    more = json.loads(node.metadata_props.get(_MORE, "[]"))
    found = (first, *(Location(file=row[0], line=row[1], module=row[2]) for row in more))
    return tuple(item for item in found if item != NOWHERE)


def inherit(node: ir.Node, *origins: ir.Node) -> None:
    """Give `node` the locations of the nodes it replaces, in their order."""
    locate(node, *(place for origin in origins for place in locations_of(origin)))
