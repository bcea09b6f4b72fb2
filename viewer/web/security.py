"""Who may ask (host names, writes from browsers) and what the browser is told to allow."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.sansio.utils import host_is_trusted

from viewer.errors import Forbidden
from viewer.settings import Settings

MAX_BODY_BYTES = 64 * 1024  # the largest body we take is a few hundred bytes of JSON

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})  # "none": typed or bookmarked by the user

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
# The page that compares holds two viewers in frames; nobody else's page may.
FRAMED_BY_US = CONTENT_SECURITY_POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
FRAMING_US = f"{CONTENT_SECURITY_POLICY}; frame-src 'self'"
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def init_app(app: Flask, settings: Settings) -> None:
    """Check every request before it is routed; put the headers on every answer."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    trusted = trusted_names(settings)

    @app.before_request
    def check() -> None:
        _check_host(request.headers.get("Host", ""), trusted)
        if request.method not in SAFE_METHODS:
            _check_origin()

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def trusted_names(settings: Settings) -> tuple[str, ...]:
    """The host names that are answered to, beside plain addresses."""
    return ("localhost", settings.host, *settings.trusted_hosts)


def is_trusted(host: str, trusted: tuple[str, ...]) -> bool:
    """Whether a Host header may be answered to.

    Against DNS rebinding: another site's name may be made to point to this machine.
    """
    return _is_ip_address(host) or host_is_trusted(host, trusted)


def _check_host(host: str, trusted: tuple[str, ...]) -> None:
    if not is_trusted(host, trusted):
        raise Forbidden(
            "Sentinode does not answer to this host name.",
            "Use localhost or the IP address, or add the name to SENTINODE_TRUSTED_HOSTS.",
        )


def _is_ip_address(host: str) -> bool:
    """A plain address cannot be rebound: there is no name to point elsewhere."""
    try:
        ip_address(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
    return True


def _check_origin() -> None:
    """Browsers say where a write comes from; scripts say nothing and cannot be tricked."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        allowed = site in OWN_SITES
    else:
        origin = request.headers.get("Origin")
        allowed = origin in (None, f"{request.scheme}://{request.host}")
    if not allowed:
        raise Forbidden(
            "This request came from a page of another site.",
            "Use Sentinode's own pages, or a script.",
        )
