"""Pages: what all our HTML files have in common. They ask nothing of any network, and hold no script but ours."""

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any


def render(name: str, values: Mapping[str, Any]) -> str:
    """The page of a template of this folder: NAME.html, with its style and, where there is one, its script in it.

    Values are texts there, never markup. The page's policy lets no style and no script in but these, which it knows
    by their hashes. `values` holds a title.
    """
    import jinja2
    from markupsafe import Markup

    home = resources.files("throughtime.inspect")
    loader = jinja2.FunctionLoader(lambda file: home.joinpath(file).read_text("utf-8"))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, loader=loader)
    style = "".join(home.joinpath(file).read_text("utf-8") for file in ("page.css", f"{name}.css"))
    path = home.joinpath(f"{name}.js")
    script = path.read_text("utf-8") if path.is_file() else ""
    own = {
        "style": Markup(style),
        "style_hash": _digest(style),
        "script": Markup(script),
        "script_hash": _digest(script),
    }
    return environment.get_template(f"{name}.html").render({**values, **own})


def embedded(content: Any) -> str:
    """JSON that can stand inside an HTML script element, whatever its texts hold.

    >>> embedded({"word": "</script><!--"})
    '{"word":"\\\\u003c/script\\\\u003e\\\\u003c!--"}'
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
