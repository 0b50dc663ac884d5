"""Stands in for the process that holds the weights: the same command line, and no weights.

    python standin_server.py BEHAVIOUR '{"path": ..., "name": ..., ...}'

Behaviours: `well`; `no-load` says why and ends; `slow` takes 2 s to load; `dies` ends after three
answers; `deaf` stops (SIGSTOP) after the first answer. Answers to judge-v1 are all `true`.
"""

import json
import os
import re
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
from calm.local.server_process import die_with_parent

behaviour, options = sys.argv[1], json.loads(sys.argv[2])
answers = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.reply({"status": "ok", "data": [{"id": options["name"]}]})

    def do_POST(self) -> None:
        global answers
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if behaviour == "dies" and answers >= 3:
            sys.stderr.write("out of something\n")
            sys.stderr.flush()
            os._exit(3)
        if behaviour == "deaf" and answers >= 1:
            os.kill(os.getpid(), signal.SIGSTOP)
            threading.Event().wait()  # another thread may take the signal, and this one run on
        answers += 1
        schema = body["response_format"]["json_schema"]["schema"]
        content = json.dumps(dict.fromkeys(schema["properties"], True))
        words = len(re.findall(r"\w+", body["messages"][0]["content"]))
        self.reply(
            {
                "choices": [{"message": {"content": content}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": words, "completion_tokens": 7},
                "model": options["name"],
            }
        )

    def reply(self, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    die_with_parent()
    if behaviour == "no-load":
        sys.exit("a tensor is missing")
    if behaviour == "slow":
        time.sleep(2)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}/v1\n")
    sys.stdout.flush()
    threading.Event().wait()
