"""The part of JSON Schema that src/serve/openapi.json is written in; a word beyond it is a failure."""

import re

TYPES = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}
NOTES = {"description", "contentEncoding"}


def is_type(value, name):
    if name in ("integer", "number"):
        return isinstance(value, int if name == "integer" else (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


class Document:
    def __init__(self, document):
        self.document = document

    def resolve(self, part):
        """The object that a reference means, or the object itself."""
        while isinstance(part, dict) and "$ref" in part:
            assert set(part) <= {"$ref", "description"}
            found = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                found = found[name.replace("~1", "/").replace("~0", "~")]
            part = found
        return part

    def fits(self, value, schema):
        return not self.faults(value, schema)

    def faults(self, value, schema, place=""):
        """What of a value is not as the schema says: lines that name the place."""
        schema = self.resolve(schema)
        found = []
        for word, argument in schema.items():
            if word in NOTES:
                continue
            found += getattr(self, f"check_{word}")(value, argument, place, schema)
        return found

    def check_type(self, value, names, place, _):
        names = [names] if isinstance(names, str) else names
        return [] if any(is_type(value, name) for name in names) else [f"{place}: {value!r:.60} is no {names}"]

    def check_enum(self, value, values, place, _):
        return [] if value in values else [f"{place}: {value!r:.60} is none of {values}"]

    def check_const(self, value, only, place, _):
        return [] if value == only else [f"{place}: {value!r:.60} is not {only}"]

    def check_anyOf(self, value, schemas, place, _):
        return [] if any(self.fits(value, schema) for schema in schemas) else [f"{place}: {value!r:.60} is nothing of anyOf"]

    def check_required(self, value, names, place, _):
        return [f"{place}: {name} is missing" for name in names if isinstance(value, dict) and name not in value]

    def check_properties(self, value, schemas, place, _):
        if not isinstance(value, dict):
            return []
        return [fault for name, schema in schemas.items() if name in value
                for fault in self.faults(value[name], schema, f"{place}.{name}")]

    def check_items(self, value, schema, place, _):
        if not isinstance(value, list):
            return []
        return [fault for index, item in enumerate(value) for fault in self.faults(item, schema, f"{place}[{index}]")]

    def limit(self, good, value, place, says):
        return [] if good else [f"{place}: {value!r:.60} is {says}"]

    def check_minItems(self, value, least, place, _):
        return self.limit(not isinstance(value, list) or len(value) >= least, value, place, "too short")

    def check_maxItems(self, value, most, place, _):
        return self.limit(not isinstance(value, list) or len(value) <= most, value, place, "too long")

    def check_minLength(self, value, least, place, _):
        return self.limit(not isinstance(value, str) or len(value) >= least, value, place, "too short")

    def check_pattern(self, value, pattern, place, _):
        return self.limit(not isinstance(value, str) or re.search(pattern, value), value, place, f"not as {pattern}")

    def check_minimum(self, value, least, place, _):
        return self.limit(not is_type(value, "number") or value >= least, value, place, "too small")

    def check_maximum(self, value, most, place, _):
        return self.limit(not is_type(value, "number") or value <= most, value, place, "too large")

    def check_exclusiveMinimum(self, value, bound, place, _):
        return self.limit(not is_type(value, "number") or value > bound, value, place, "too small")
