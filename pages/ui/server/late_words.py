"""What a browser says of a page that it was already told to leave.

Streamlit's browser (1.67) sends what was typed or chosen by a timer, and names the page that it shows then. A link
that is clicked in between leads on, and the word that comes after it leads back, to the page that was left. Here such a
word belongs to the page that was asked for last. And a way to another page takes along what was said just before and
not looked at yet: of requests that follow each other quickly Streamlit keeps the last one, which says nothing of the
fields of the page that is left, so that their callbacks would never run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

if TYPE_CHECKING:
    from google.protobuf.message import Message as ProtobufMessage
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from streamlit.proto.ClientState_pb2 import ClientState
    from streamlit.proto.WidgetStates_pb2 import WidgetState

_MOST = 200_000  # bytes; what is larger draws something and says nothing of where the visitor is
_TRIGGERS = {"trigger_value", "string_trigger_value", "chat_input_value", "json_trigger_value"}  # Streamlit keeps those


class WordsGoAlong:
    """Between browser and Streamlit: no late word of a page leads back to it, and none is lost on the way."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        connection = Connection()

        async def heard() -> Message:
            while True:
                message = await receive()
                data = message.get("bytes")
                if message["type"] != "websocket.receive" or data is None:
                    return message
                passed_on = connection.heard(data)
                if passed_on is not None:
                    return {**message, "bytes": passed_on}

        async def told(message: Message) -> None:
            data = message.get("bytes")
            if message["type"] == "websocket.send" and data is not None:
                connection.told(data)
            await send(message)

        await self._app(scope, heard, told)


class Connection:
    """Where one browser is, as far as it was asked for and told."""

    def __init__(self) -> None:
        self._page = ""  # the hash of the page that was asked for last
        self._query = ""  # what its address asks for
        self._on_the_way = False  # the browser asked for that page and was not told of it yet
        self._main = ""
        self._paths: dict[str, str] = {}  # of each page's address, by its hash
        self._new: list[WidgetState] = []  # what was said of that page's fields and not looked at yet

    def heard(self, data: bytes) -> bytes | None:
        """What the browser sent, as Streamlit is to get it; None: not at all."""
        said = _parsed(BackMsg(), data)
        if not isinstance(said, BackMsg) or said.WhichOneof("type") != "rerun_script":
            return data
        rerun = said.rerun_script
        if self._late(rerun):
            if rerun.is_auto_rerun:  # a part that looks again by itself says nothing new
                return None
            rerun.page_script_hash, rerun.query_string, rerun.fragment_id = self._page, self._query, ""
            return said.SerializeToString()
        before, self._query = self._page, rerun.query_string
        if not rerun.page_script_hash or rerun.page_script_hash == before:
            self._new = _values(rerun)
            return data
        self._page, self._on_the_way = rerun.page_script_hash, True
        along, self._new = self._new, []
        known = {state.id for state in rerun.widget_states.widgets}
        along = [state for state in along if state.id not in known]
        if not before or not along:
            return data
        rerun.widget_states.widgets.extend(along)
        return said.SerializeToString()

    def _late(self, rerun: ClientState) -> bool:
        """Whether this is of the page that the browser still shows while another one was asked for.

        A link says nothing of any field, but for those of the home page, whose fields Streamlit has stay.
        """
        page = rerun.page_script_hash
        return (
            page not in ("", self._page, self._main)
            and not rerun.is_history_navigation
            and len(rerun.widget_states.widgets) > 0
            and self._paths.get(page) == urlsplit(rerun.context_info.url).path.strip("/").rpartition("/")[2]
        )

    def told(self, data: bytes) -> None:
        """What Streamlit sends to the browser."""
        if len(data) > _MOST:
            return
        said = _parsed(ForwardMsg(), data)
        if not isinstance(said, ForwardMsg):
            return
        kind = said.WhichOneof("type")
        if kind == "new_session":
            session = said.new_session
            self._main = session.main_script_hash
            self._paths = {page.page_script_hash: page.url_pathname for page in session.app_pages}
            self._new = []
            if not self._on_the_way:
                self._page = session.page_script_hash
            elif session.page_script_hash == self._page:
                self._on_the_way = False
        elif kind == "page_info_changed" and not self._on_the_way:
            self._query = said.page_info_changed.query_string


def _values(rerun: ClientState) -> list[WidgetState]:
    return [state for state in rerun.widget_states.widgets if state.WhichOneof("value") not in _TRIGGERS]


def _parsed(message: ProtobufMessage, data: bytes) -> ProtobufMessage | None:
    """None: this is none; whoever it is for says so."""
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    return message
