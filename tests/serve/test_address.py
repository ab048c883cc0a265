from __future__ import annotations

import pytest

from crawler.serve.address import Address, address


@pytest.mark.parametrize(
    ("text", "wanted", "url"),
    [
        ("8080", Address("127.0.0.1", 8080), "http://127.0.0.1:8080/"),
        (":0", Address("127.0.0.1", 0), "http://127.0.0.1:0/"),
        ("localhost:80", Address("localhost", 80), "http://localhost:80/"),
        ("0.0.0.0:9", Address("0.0.0.0", 9), "http://0.0.0.0:9/"),
        ("[::1]:8080", Address("::1", 8080), "http://[::1]:8080/"),
    ],
)
def test_an_address_is_a_host_and_a_port_and_the_host_is_loopback_unless_told(
    text: str, wanted: Address, url: str
) -> None:
    assert address(text) == wanted
    assert wanted.url == url


@pytest.mark.parametrize("text", ["", "localhost", "localhost:", "localhost:x", "localhost:70000", "a:b:1", "::1"])
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        address(text)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8080", "localhost:8080", "[::1]:8080", "10.0.0.7", "Box.example"]
)
def test_it_answers_to_addresses_to_localhost_and_to_its_own_name(host: str) -> None:
    assert Address("box.example", 8080).answers_to(host)


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example:8080", "localhost.evil.example", "[evil]:80"]
)
def test_it_does_not_answer_to_the_name_of_another(host: str) -> None:
    assert not Address("127.0.0.1", 8080).answers_to(host)
