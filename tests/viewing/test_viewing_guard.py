"""Who is let in, and that no address leads to a file."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys

import pytest
from asgi_client import Client
from viewing.conftest import PORT, client_of
from viewing_folder import ViewedStudy

from voxplain.errors import InputError
from voxplain.viewing.folder import opened
from voxplain.viewing.server import Session, make_app
from voxplain.viewing.server.guard import HEADER, MOST_BYTES, Gate
from voxplain.viewing.server.start import bound

HOST = f"127.0.0.1:{PORT}"
PATHS = ("/", "/served.js", "/api/study", "/api/figures", "/api/items/0", "/api/items/0/image", "/notes.csv")
NOTE = {"author": "a", "usefulness": 3, "agreement": 3, "text": "t"}


@pytest.fixture(scope="module")
def client(study: ViewedStudy):
    return client_of(study.out)


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_there_is_nothing(client, path):
    token = client.headers[HEADER]
    for wrong in (None, "", "x", token[:-1], token + "x", token.upper(), "\xe9"):
        answer = client.get(path, **{HEADER: wrong})
        assert answer.status == 403 and b"case-0" not in answer.body
    assert client.get(path).status == 200


def test_the_token_in_the_address_becomes_a_cookie_and_leaves_it(client):
    token = client.headers[HEADER]
    answer = client.get(f"/?token={token}&x=1", **{HEADER: None, "origin": None})
    assert (answer.status, answer.headers["location"]) == (303, "/?x=1")
    cookie = answer.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", f"voxplain-{PORT}="))
    pair = cookie.partition(";")[0]
    assert client.get("/api/study", **{HEADER: None, "cookie": f"other=1; {pair}"}).status == 200
    assert client.get("/?token=wrong", **{HEADER: None}).status == 403
    assert client.get(f"/api/study?token={token}", **{HEADER: None}).status == 403  # nowhere but at the door
    assert client.get("/api/study", **{HEADER: None, "cookie": pair.replace("=", "=x")}).status == 403


@pytest.mark.parametrize(
    "others", ['a={"x": "y"}; ', "a[b]=c d; ", "\xe9=1; ", "=; ;; ", f"voxplain-{PORT}=x; "], ids=range(5)
)
def test_cookies_of_other_servers_do_not_lock_anybody_out(client, others):
    """They are sent to all ports of a machine, and are not always what a standard says."""
    own = f"voxplain-{PORT}={client.headers[HEADER]}"
    for cookie in (others + own, f"{own}; {others}"):
        assert client.get("/api/study", **{HEADER: None, "cookie": cookie}).status == 200
    assert client.get("/api/study", **{HEADER: None, "cookie": others}).status == 403


def test_what_starts_a_browser_lets_in_once(study: ViewedStudy):
    """A browser's command line can be read by every account of the machine."""
    gate = Gate(PORT)
    client = Client(make_app(Session.of(opened(study.out)), gate), {"host": HOST})
    path = "/?" + gate.address_once().partition("?")[2]
    assert gate.token not in path
    answers = [client.get(path) for _ in range(2)]
    assert [a.status for a in answers] == [303, 403]
    assert client.get("/api/study", cookie=answers[0].headers["set-cookie"].partition(";")[0]).status == 200
    assert client.get("/api/study", **{HEADER: path.partition("=")[2]}).status == 403


@pytest.mark.parametrize(
    "host",
    ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", f"127.0.0.1.evil.example:{PORT}",
     f"0.0.0.0:{PORT}", f"[::1]:{PORT}", "", None],
)  # fmt: skip
def test_another_host_is_refused(client, host):
    assert client.get("/api/study", host=host).status == 421


def test_localhost_is_this_machine(client):
    own = {"host": f"localhost:{PORT}", "origin": f"http://localhost:{PORT}"}
    assert client.get("/api/study", **own).status == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", f"https://{HOST}", f"http://127.0.0.1:{PORT + 1}", f"http://localhost:{PORT}", f"http://{HOST}.evil.example"],
)  # fmt: skip
def test_another_origin_is_refused(client, origin):
    assert client.get("/api/study", origin=origin).status == 403
    assert client.ask("POST", "/api/items/0/notes", b"{}", headers={"origin": origin}).status == 403


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
)
def test_pages_of_other_places_are_told_by_the_browser(client, site, status):
    assert client.get("/api/study", **{"origin": None, "sec-fetch-site": site}).status == status


def test_writing_takes_json_of_this_page_alone(client, study):
    body = json.dumps(NOTE).encode()

    def post(**headers):
        return client.ask("POST", "/api/items/0/notes", body, headers=headers).status

    assert post(content_type="application/json", origin=None) == 403
    for kind in (
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonx",
    ):
        assert post(content_type=kind) == 415
    for verb in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert (
            client.ask(verb, "/api/items/0/notes", headers={"content-type": "application/json"}).status == 405
        )
    assert client.post("/api/study", NOTE).status == 405
    assert not (study.out / "notes.sqlite").exists()


def test_large_bodies_are_refused_whatever_their_header_says(client, study):
    large = json.dumps({**NOTE, "text": "x" * MOST_BYTES}).encode()
    for length in (str(len(large)), "10", "-1", "1e3"):
        headers = {"content-type": "application/json", "content-length": length}
        assert client.ask("POST", "/api/items/0/notes", large, headers=headers).status == 413
    chunked = {"content-type": "application/json", "content-length": None}
    assert client.ask("POST", "/api/items/0/notes", large, headers=chunked).status == 413
    assert not (study.out / "notes.sqlite").exists()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 50_000,
        b'{"author": 1e999}',
        b'{"author": ["a"], "text": "t"}',
        b'"x"',
    ],
)
def test_bodies_that_are_no_note_are_refused(client, study, sent):
    answer = client.ask("POST", "/api/items/0/notes", sent, headers={"content-type": "application/json"})
    assert answer.status == 400
    assert not (study.out / "notes.sqlite").exists()


@pytest.mark.parametrize(
    "path",
    [
        "/../study.yaml", "/..%2fstudy.yaml", "/%2e%2e/study.yaml", "/%2e%2e%2fstudy.yaml", "/..%5cstudy.yaml",
        "/..%252fstudy.yaml", "/study.yaml", "/out/study.yaml", "//etc/passwd", "/%00",
        "/served.js/../../../../etc/passwd", "/served.css%2f..%2f..%2fassets.py", "/api/items/../../study.yaml",
        "/api/items/..%2f..%2fstudy.yaml", "/api/items/0/maps/0/..%2f..%2fstudy.yaml",
        "/api/items/0/maps/0/0/../../../../../../etc/passwd", "/api/items/-1", "/api/items/9",
        "/api/items/0/maps/2/0", "/api/items/0/maps/0/3", "/api/items/0/labels/1", "/api/items/0x0",
        "/api/items/%30%00", "/api/items/case-0/image", "/api/items/99999999999999999999",
        "/api/items/0/maps/liver/lrp", "/file:///etc/passwd",
        "/api/items/" + "9" * 5000, "/api/items/0/labels/" + "9" * 5000,
    ],
)  # fmt: skip
def test_no_address_leads_to_a_file(client, study, path):
    answer = client.get(path)
    assert answer.status == 404
    assert b"root:" not in answer.body and b"models:" not in answer.body and str(study.out) not in answer.text


@pytest.mark.parametrize("where", ["file", "folder"])
def test_a_link_that_leaves_the_study_is_not_followed(own_study: ViewedStudy, tmp_path, where):
    path = own_study.map_file(0, "lrp", "liver")
    linked = path if where == "file" else path.parent
    linked.rename(tmp_path / "outside")
    linked.symlink_to(tmp_path / "outside")
    answer = client_of(own_study.out).get("/api/items/0/maps/0/1")
    assert (
        answer.status == 400
        and "a link that leaves the study" in answer.text
        and str(tmp_path) not in answer.text
    )
    linked.unlink()
    (tmp_path / "outside").rename(linked.with_name("moved"))
    linked.symlink_to("moved")  # inside, it is nobody's harm
    assert client_of(own_study.out).get("/api/items/0/maps/0/1").status == 200


def test_links_of_other_files_are_not_followed_either(own_study: ViewedStudy, tmp_path):
    prediction = own_study.out / "predictions" / f"{own_study.place(0)}.nii.gz"
    for path in (prediction, own_study.out / "tables" / "verdicts.csv"):
        path.rename(tmp_path / path.name)
        path.symlink_to(tmp_path / path.name)
    (own_study.out / "notes.sqlite").symlink_to(tmp_path / "elsewhere.sqlite")
    client = client_of(own_study.out)
    found = client.get("/api/items/0").json()
    assert found["labels"] == [] and any("a link that leaves the study" in note for note in found["notes"])
    assert {m["verdict"] for m in found["targets"][0]["maps"]} == {""}
    assert client.post("/api/items/0/notes", NOTE).status == 400
    assert not (tmp_path / "elsewhere.sqlite").exists()
    (own_study.out / "study.yaml").rename(tmp_path / "study.yaml")
    (own_study.out / "study.yaml").symlink_to(tmp_path / "study.yaml")
    with pytest.raises(InputError, match="leaves the study"):
        opened(own_study.out)


def test_every_answer_has_its_headers(client):
    for answer in (
        client.get("/"),
        client.get("/api/items/0/image"),
        client.get("/nothing"),
        client.get("/", host="x"),
    ):
        policy = dict(
            part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == "'self'" and "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


def test_a_port_that_is_taken_is_told_in_one_line():
    with bound(0) as listening:
        taken = listening.getsockname()[1]
        assert listening.getsockname()[0] == "127.0.0.1"
        with pytest.raises(InputError, match=rf"--port: {taken} cannot be used"):
            bound(taken)
    for wrong in (-1, 65536):
        with pytest.raises(InputError, match="--port"):
            bound(wrong)


@pytest.mark.long
def test_the_command_serves_until_ctrl_c(study: ViewedStudy):
    command = [sys.executable, "-m", "voxplain", "view", str(study.out), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(2)]
            address = lines[1].strip().removeprefix("http://")
            host, _, path = address.partition("/")
            connection = http.client.HTTPConnection(host, timeout=60)
            connection.request("GET", f"/{path}")
            assert connection.getresponse().status == 303
            with (
                pytest.raises(OSError),
                socket.create_connection(("127.0.0.2", int(host.rpartition(":")[2])), 5),
            ):
                pass  # the whole of 127/8 is this machine, and it is not listened to
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out.splitlines()[-1], err) == (0, "stopped", "")
