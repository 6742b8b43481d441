"""Forms made from the recipe's schema: whatever field it has gets its widget here, by its type, bounds and marks."""

import math

import streamlit as st

from app_widgets.asking import names
from app_widgets.draft import KEY, draft
from kcnn.recipe import as_value, fields, parse_setting


def form(section, basic=False, sliders=False, columns=1, title=None):
    """A widget for every field of a section that forms set; `basic`: only those of the short form, if it has any."""
    shown = [(path, spec) for path, spec in fields() if path.startswith(f"{section}.") and not spec.get("written")]
    shown = [(path, spec) for path, spec in shown if spec.get("basic") or not basic]
    if shown and title:
        st.caption(title)
    places = st.columns(columns)
    for place, (path, spec) in zip(places * len(shown), shown, strict=False):
        with place:
            field(path, spec, sliders)


def field(path, spec=None, sliders=False):
    """The widget of one field; what it says goes into the draft, or out of it where it is the default."""
    spec = dict(fields())[path] if spec is None else spec
    default = spec.get("default")
    spec, optional = _unwrapped(spec)
    value = _widget(spec)(path, spec, draft().get(path, default), optional, sliders)
    if value == default:
        draft().pop(path, None)
    else:
        draft()[path] = value
    return value


def _unwrapped(spec):
    """(the schema of the value, whether it may be none); a switch that may be neither on nor off is a choice."""
    options = [option for option in spec.get("anyOf", ()) if option.get("type") != "null"]
    if not options:
        return spec, False
    inside = options[0] | ({"enum": [True, False]} if options[0].get("type") == "boolean" else {})
    return spec | inside, True


def _widget(spec):
    if spec.get("names") or spec.get("enum"):
        return _chosen
    if len(spec.get("prefixItems", ())) == 2:
        return _pair
    return {"boolean": _switch, "integer": _number, "number": _number, "string": _text}.get(spec.get("type"), _table)


def _kept(path, value, part=""):
    """The key of a widget, whose state is `value` until the user has changed it."""
    key = f"{KEY}{path}{part}"
    if key not in st.session_state:
        st.session_state[key] = value
    return key


def _label(path):
    return path.partition(".")[2].replace("_", " ").capitalize()


def _help(path, spec):
    return f"{spec.get('description', '')} (`{path}`)"


def _chosen(path, spec, value, optional, _):
    known = names(spec["names"]) if spec.get("names") else dict.fromkeys(spec["enum"], "")
    options = [None] * optional + list(dict.fromkeys([*known, *([value] if value is not None else [])]))
    return st.selectbox(
        _label(path), options, key=_kept(path, value), help=_help(path, spec),
        format_func=_said, placeholder="none",
    )  # fmt: skip


def _said(name):
    return {"None": "none", "True": "yes", "False": "no"}.get(str(name), str(name))


def _switch(path, spec, value, *_):
    return st.toggle(_label(path), key=_kept(path, value), help=_help(path, spec))


def _text(path, spec, value, optional, _):
    typed = st.text_input(_label(path), key=_kept(path, value or ""), help=_help(path, spec),
                          placeholder="none" if optional else "").strip()  # fmt: skip
    return typed or (None if optional else spec.get("default"))


def _number(path, spec, value, optional, sliders, part="", label=None):
    """A number within its bounds; in a form of sliders one that has both."""
    kind = int if spec["type"] == "integer" else float
    low = spec.get("minimum", spec.get("exclusiveMinimum"))
    high = spec.get("maximum", spec.get("exclusiveMaximum"))
    value = None if value is None else kind(value)
    options = {"key": _kept(path, value, part), "help": _help(path, spec), "label": label or _label(path)}
    if sliders and None not in (low, high) and not optional:
        step = 1 if kind is int else _step((high - low) / 4)
        shown = "%d" if kind is int else f"%.{max(0, -round(math.log10(step)))}f"
        return st.slider(min_value=kind(low), max_value=kind(high), step=step, format=shown, **options)
    return st.number_input(
        min_value=None if low is None else kind(low), max_value=None if high is None else kind(high),
        step=1 if kind is int else _step(value or 0.1), format="%d" if kind is int else "%.4g", placeholder="none",
        **({"value": None} if optional else {}), **options,
    )  # fmt: skip


def _step(size):
    """A tenth of the power of ten below `size`."""
    return 10.0 ** (math.floor(math.log10(abs(size))) - 1)


def _pair(path, spec, value, optional, sliders):
    """Two numbers, the smaller first; a switch before them where there may be none."""
    if optional and not st.toggle(_label(path), key=_kept(path, value is not None, " on"), help=_help(path, spec)):
        return None
    high = spec["prefixItems"][1].get("maximum", 1.0)
    given = value or (high / 2, high)
    sides = zip(st.columns(2), spec["prefixItems"], given, ("from", "to"), strict=True)
    found = []
    for column, part, start, word in sides:
        with column:
            told = part | {"description": spec["description"]}
            found.append(_number(path, told, start, False, sliders, f" {word}", f"{_label(path)}, {word}"))
    return found


def _table(path, spec, value, *_):
    """Anything else, typed as TOML."""
    shown = "" if not value else as_value(value)
    typed = st.text_input(_label(path), key=_kept(path, shown), help=_help(path, spec), placeholder="as TOML").strip()
    return parse_setting(f"{path}={typed}")[1] if typed else spec.get("default")
