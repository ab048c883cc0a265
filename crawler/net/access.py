"""What single origins are shown of you, and no other: request headers and client certificates."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Mapping

from crawler.config import Access, Login
from crawler.core.url import host_key, normalise, redact
from crawler.errors import ConfigError
from crawler.net.request import check_header, tls_context


class Logins:
    """What each origin that the settings name is shown.

    An origin is scheme, host and port, so what is for HTTPS never goes out in the clear,
    and a redirect that leads elsewhere leads away from it.

    Args:
        access: the settings.
        ca_file: PEM file of further authorities to trust, or empty.

    Raises:
        ConfigError: one of the settings cannot be used; it is named, and no secret is.
    """

    def __init__(self, access: Access, ca_file: str = "") -> None:
        self._headers: dict[str, Mapping[str, str]] = {}
        self._tls: dict[str, ssl.SSLContext] = {}
        for name, login in access.origins.items():
            origin, where = _origin(name), f'access.origins."{redact(name)}"'
            self._headers[origin] = _headers(login, where)
            if login.certificate:
                if origin.startswith("http:"):
                    raise ConfigError(f"{where}: a certificate is shown over https only")
                self._tls[origin] = _with_certificate(tls_context(ca_file), login, where)
            elif login.key or login.key_password:
                raise ConfigError(f"{where}: a key without a certificate")

    def headers(self, origin: str) -> Mapping[str, str]:
        """Return the request headers that are for this origin alone."""
        return self._headers.get(origin, {})

    def tls(self, origin: str) -> ssl.SSLContext | None:
        """Return what shows the client certificate for this origin; None if there is none."""
        return self._tls.get(origin)


def basic(user: str, password: str) -> str:
    """Return the credentials of HTTP Basic authentication, in UTF-8 (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _origin(name: str) -> str:
    try:
        url = normalise(name)
    except ValueError:
        url = ""
    if not url or "@" in name or url != f"{host_key(url)}/":
        raise ConfigError(f"access.origins: '{redact(name)}' is no origin, such as https://example.org:8443")
    return host_key(url)


def _headers(login: Login, where: str) -> dict[str, str]:
    headers = dict(login.headers)
    for name, value in headers.items():
        check_header(name, value, f"{where}.headers")
    if not login.user:
        if login.password:
            raise ConfigError(f"{where}: a password without a user")
        return headers
    if ":" in login.user:
        raise ConfigError(f"{where}: no user name of HTTP Basic authentication has a colon")
    if any(name.lower() == "authorization" for name in headers):
        raise ConfigError(f"{where}: a user and an Authorization header contradict each other")
    return {**headers, "Authorization": basic(login.user, login.password)}


def _with_certificate(context: ssl.SSLContext, login: Login, where: str) -> ssl.SSLContext:
    try:
        context.load_cert_chain(login.certificate, login.key or None, _password(login.key_password))
    except OSError as error:  # ssl.SSLError is one
        seen = error.strerror if not isinstance(error, ssl.SSLError) else _of_tls(error)
        raise ConfigError(f"{where}: the certificate or its key cannot be used ({seen})") from error
    return context


def _password(text: str) -> Callable[[], str]:
    """Return what OpenSSL asks for a password: without one it would ask on the terminal, and a crawl has none."""

    def ask() -> str:
        if not text:
            raise OSError(0, "the key is encrypted; set key_password")
        return text

    return ask


def _of_tls(error: ssl.SSLError) -> str:
    return (error.reason or "not PEM").replace("_", " ").lower()
