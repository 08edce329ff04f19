"""What looking at endpoints costs at least.  RESOLVER ADDRESS PORT NAME...

Per name three dnspython lookups and one bare asyncio STARTTLS session, fifty names at a time;
nothing is judged.  Prints how many certificates it saw.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys

import dns.asyncquery
import dns.message

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE


async def look(resolver: str, address: str, port: int, name: str) -> int:
    for owner, kind in ((name, "A"), (name, "AAAA"), (f"_{port}._tcp.{name}", "TLSA")):
        query = dns.message.make_query(owner, kind, want_dnssec=True)
        await dns.asyncquery.udp(query, resolver, timeout=5)
    reader, writer = await asyncio.open_connection(address, port)
    await reader.readline()
    writer.write(b"EHLO bench.example.test\r\n")
    while (await reader.readline())[3:4] == b"-":
        pass
    writer.write(b"STARTTLS\r\n")
    await reader.readline()
    await writer.start_tls(CONTEXT, server_hostname=name)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.write(b"QUIT\r\n")
    writer.close()
    return bool(der)


async def main() -> None:
    logging.disable()  # streams grumble at the end of every TLS session
    resolver, address, port, *names = sys.argv[1:]
    slots = asyncio.Semaphore(50)

    async def one(name: str) -> int:
        async with slots, asyncio.timeout(20):
            return await look(resolver, address, int(port), name)

    print(sum(await asyncio.gather(*map(one, names))))


if __name__ == "__main__":
    asyncio.run(main())
