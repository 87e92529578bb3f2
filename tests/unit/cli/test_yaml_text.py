"""Plain values as YAML."""

from ovsnet.cli.yaml_text import yaml_text

EXPECTED = """\
openapi: "3.1.0"
"200":
  text: "a: b # c\\n"
  none: null
"on": true
empty: {}
list: []
items:
  - 1
  - name: "x"
    tags:
      - "a"
  - {}
/v1/{name}: 1.5
$ref: "#/x"
"""


def test_scalars_are_json_and_nothing_is_ambiguous() -> None:
    value = {
        "openapi": "3.1.0",
        "200": {"text": "a: b # c\n", "none": None},
        "on": True,
        "empty": {},
        "list": [],
        "items": [1, {"name": "x", "tags": ("a",)}, {}],
        "/v1/{name}": 1.5,
        "$ref": "#/x",
    }
    assert yaml_text(value) == EXPECTED
