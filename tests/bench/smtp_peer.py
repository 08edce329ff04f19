"""A mail server that only does STARTTLS, for thousands of sessions.  CHAIN_FILE PORT ADDRESS...

With "-" in place of the file it offers none.
Prints its port, then serves until it is ended.  Runs alone, outside the package.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import sys


async def session(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext | None
) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, EOFError):
        writer.write(b"220 mail.example.test ESMTP\r\n")
        while line := await reader.readline():
            word = line.strip().upper()
            if word.startswith(b"EHLO"):
                offer = b"250 STARTTLS" if context is not None else b"250 SIZE"
                writer.write(b"250-mail.example.test\r\n" + offer + b"\r\n")
            elif word == b"STARTTLS" and context is not None:
                writer.write(b"220 go\r\n")
                await writer.start_tls(context)
            else:
                writer.write(b"221 bye\r\n")
                break
    writer.close()


async def main() -> None:
    logging.disable()  # streams grumble at the end of every TLS session
    chain, port, *addresses = sys.argv[1:]
    context = None
    if chain != "-":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
    server = await asyncio.start_server(
        lambda reader, writer: session(reader, writer, context),
        addresses,
        int(port),
        backlog=1024,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
