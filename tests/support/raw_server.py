"""A server that says the same bytes to everyone, HTTP or not."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def saying(
    words: bytes, *, unasked: bool = False, heads: list[bytes] | None = None
) -> Iterator[str]:
    """Gives the base URL of a server that answers each connection with `words` and closes it.

    Args:
        unasked: it speaks first, as SSH and SMTP do.
        heads: takes in what requests begin with, headers and all.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return  # closed
                with client:
                    try:
                        client.settimeout(5)
                        if not unasked:
                            head = b""
                            while b"\r\n\r\n" not in head:
                                head += client.recv(65536)
                            if heads is not None:
                                heads.append(head)
                        client.sendall(words)
                        client.shutdown(socket.SHUT_WR)
                        while client.recv(65536):
                            pass
                    except OSError:
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)
