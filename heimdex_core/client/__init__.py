"""The Python client of the HTTP API: the methods of Library over the network.

>>> from heimdex_core.client import Client
>>> with Client("http://localhost:8600", token="hdx_...") as lib:
...     lib.search("red car on a bridge").hits[0].scene_id

Answers are the shapes of heimdex_core/schemas/shapes/, errors those of the library.
"""

from heimdex_core.client.client import Client

__all__ = ["Client"]
