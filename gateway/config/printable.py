"""The effective configuration as YAML that may be shown to anyone."""

from io import StringIO
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML

from gateway.config.document import Document, KeyPath
from gateway.config.loader import LoadedConfig
from gateway.config.models import HttpListen, ListenAddress, PortRange
from gateway.config.webrtc import AddressPort


def as_yaml(loaded: LoadedConfig) -> str:
    """All values, defaults included; secrets masked, and references to the environment unresolved."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    out = StringIO()
    yaml.dump(_plain(loaded.config, loaded.document, ()), out)
    return out.getvalue()


def _plain(value: Any, document: Document, path: KeyPath) -> Any:
    """What `value`, which stands at `path`, looks like in YAML."""
    if path in document.references:
        return document.texts[path]
    match value:
        case ListenAddress():
            return f"{value.transport}://{value.address}:{value.port}"
        case HttpListen() | AddressPort():
            return f"{value.address}:{value.port}"
        case PortRange():
            return f"{value.low}-{value.high}"
        case BaseModel():
            return {
                name: _plain(getattr(value, name), document, (*path, name))
                for name in type(value).model_fields
            }
        case dict():
            return {key: _plain(item, document, (*path, key)) for key, item in value.items()}
        case list():
            return [_plain(item, document, (*path, index)) for index, item in enumerate(value)]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
