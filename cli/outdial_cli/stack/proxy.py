"""A TCP proxy in front of replicas: every new connection goes to the next one that takes it.

A process of its own (`python -m outdial_cli.stack.proxy`, standard library only), so that whoever tests a partition
stops it (a black hole: connections stand, nothing passes) or kills it (connections break, new ones are refused).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
from collections.abc import Sequence

CHUNK_BYTES = 65536
CONNECT_SECONDS = 1.0


async def serve(port: int, targets: Sequence[tuple[str, int]]) -> None:
    """Serves on 127.0.0.1 until it is cancelled."""
    turn = itertools.count()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = next(turn)
        for i in range(len(targets)):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    upstream = await asyncio.open_connection(*targets[(start + i) % len(targets)])
                break
            except OSError:
                continue
        else:
            writer.close()
            return
        await _join(reader, writer, *upstream)

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    upstream_reader: asyncio.StreamReader,
    upstream_writer: asyncio.StreamWriter,
) -> None:
    """Both directions; the end of either ends both, so that a client never waits for a dead replica."""
    ways = [
        asyncio.create_task(_pump(reader, upstream_writer)),
        asyncio.create_task(_pump(upstream_reader, writer)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for side in (writer, upstream_writer):
            side.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()


def main() -> None:
    """The proxy's process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--to", required=True, help="host:port,host:port,…")
    options = parser.parse_args()
    pairs = [target.rsplit(":", 1) for target in options.to.split(",")]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.port, [(host, int(port)) for host, port in pairs]))


if __name__ == "__main__":
    main()
