"""SIPp as a process that plays one scenario once."""

import asyncio
import shutil
import socket
from pathlib import Path

SIPP = shutil.which("sipp")
SCENARIOS = Path(__file__).parent / "scenarios"
ABSENT = "sipp is not on PATH: apt-get install sip-tester"


class Sipp:
    """One SIPp process that plays one scenario once."""

    def __init__(self, scenario: str, tmp_path: Path) -> None:
        self.port = free_port()
        self._scenario = SCENARIOS / f"{scenario}.xml"
        self._folder = tmp_path

    async def start(self, *arguments: str) -> "Sipp":
        common = ["-i", "127.0.0.1", "-p", str(self.port), "-m", "1", "-nostdin", "-timeout", "10", "-timeout_error"]
        self._process = await asyncio.create_subprocess_exec(
            str(SIPP),
            *("-sf", str(self._scenario), *common, *arguments),
            cwd=self._folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        return self

    async def succeeded(self) -> bool:
        """Wait for its end; its own verdict is the exit code, and what it said is shown when the test fails."""
        async with asyncio.timeout(12):
            output, _ = await self._process.communicate()
        print(output.decode(errors="replace")[-3000:])
        return self._process.returncode == 0

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
