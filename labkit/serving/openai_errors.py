"""Whatever goes wrong before an answer begins: a status, and a sentence in the object that OpenAI's clients know."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from labkit.serving.engine import AnswerLostError, EngineBusyError, EngineStoppedError
from labkit.serving.json_fields import RefusedError
from labkit.serving.openai_objects import error_object


async def _told(request: Request, error: Exception) -> Response:
    headers, param, code, message = None, None, None, str(error)
    match error:
        case RefusedError():
            status, param, code = error.status, error.param, error.code
        case EngineBusyError():
            status, headers = 503, {"Retry-After": "1"}
        case HTTPException():
            status, headers = error.status_code, error.headers
            wrong = {404: "There is nothing at {}.", 405: "{} does not take {}."}
            message = wrong.get(status, error.detail).format(request.url.path, request.method)
        case AnswerLostError() | EngineStoppedError():
            status = 500
        case _:  # not meant for strangers; it goes to the log
            status, message = 500, "The server failed at this request."
    return JSONResponse(error_object(message, status, param, code), status, headers)


async def _nobody_left(request: Request, error: Exception) -> None:
    """Of a client that hung up before it had asked."""


HANDLERS = {
    **dict.fromkeys((RefusedError, EngineBusyError, EngineStoppedError, AnswerLostError), _told),
    **dict.fromkeys((HTTPException, Exception), _told),
    ClientDisconnect: _nobody_left,
}
"""What Starlette calls for which error."""
