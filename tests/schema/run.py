"""Whether the API is what its OpenAPI document says: no server error, no undocumented answer, no way past the
authentication. Starts the binary named by VISAVIS_BINARY on a fresh directory and calls every operation by schemathesis,
with the operator's token, with a practice's session, and with none.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
LONG = bool(os.environ.get("VISAVIS_LONG"))
# Left out: whether every body that fits the document is taken, and whether what was called off is gone. The first is more
# than a document can say (a link is good for once), the second is not so here: a consultation called off stays visible.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,allow_header_conformance,missing_required_header,ignored_auth"
)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="visavis-schema-") as home:
        command = [os.environ["VISAVIS_BINARY"], "--data-dir", f"{home}/data", "--listen", "127.0.0.1:0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            base = server.stdout.readline().split()[-1]
            server.stdout.readline()  # where the link for the first practice lies
            link = Path(f"{home}/data/set-up-link").read_text().rsplit("=", 1)[1].strip()
            session = set_up(base, link)
            operator = Path(f"{home}/data/operator-token").read_text().strip()
            failed = [name for name, token, paths in (
                ("the operator's token", operator, "^/api/consultations"),
                ("a practice's session", session, "^/api/practice(?!/sessions)"),
                ("no token", None, "^/api/(readiness|practice/(salt|set-up|rescue|sign-in|passkey/))"),
            ) if check(home, base, name, token, paths) != 0]
            # Random ids lead nowhere: once more with an appointment that exists, and stays.
            existing = post(f"{base}/api/practice/consultations", {}, session)["consultation"]["id"]
            Path(f"{home}/existing.toml").write_text(f'[parameters]\nid = "{existing}"\nseat = 2\n')
            stays = ["--exclude-method", "DELETE", "--exclude-path-regex", "cancel$"]
            name = "an appointment that exists"
            if check(home, base, name, session, "^/api/practice/consultations/", ["--config-file", "existing.toml"], stays) != 0:
                failed.append(name)
            # A run whose session ended on the way has looked at closed doors.
            request = urllib.request.Request(f"{base}/api/practice/me", headers={"authorization": f"Bearer {session}"})
            urllib.request.urlopen(request).close()
            if check(home, base, "a session that it may end", session, "^/api/practice/sessions") != 0:
                failed.append("a session that it may end")
        finally:
            server.terminate()
            server.wait()
    print("failed with " + ", ".join(failed) if failed else "the document is complete and true")
    return 1 if failed else 0


def set_up(base: str, link: str) -> str:
    """A practice whose keys are any text: the server only keeps them."""
    body = {
        "link": link, "practice": "markt", "name": "Praxis am Markt", "timeZone": "Europe/Berlin", "user": "leitung",
        "role": "head", "secret": "right", "recoverySecret": "printed", "publicKey": "key", "byPassword": "blob",
        "byRecovery": "blob", "practiceKey": "blob",
        "workplace": {"name": "Empfang", "publicKey": "key", "practiceKey": "blob"},
    }
    return post(f"{base}/api/practice/set-up", body)["token"]


def post(url: str, body: dict, token: str = "") -> dict:
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as answer:
        return json.load(answer)


def check(home: str, base: str, name: str, token: str | None, paths: str, config=(), further=()) -> int:
    print(f"-- with {name}", flush=True)
    command = [
        SCHEMATHESIS, *config, "run", f"{base}/api/openapi.json", "--include-path-regex", paths, "--checks", CHECKS,
        "--continue-on-failure", "--max-examples", "200" if LONG else "25", "--warnings", "off", *further,
    ]
    if token:
        command += ["--header", f"Authorization: Bearer {token}"]
    # Its own files go where they are thrown away.
    return subprocess.run(command, cwd=home, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
