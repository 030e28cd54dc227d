"""Runs the daemon under the recorder and writes to it; keeps what was sent."""
import base64
import ctypes
import http.client
import json
import os
import random
import signal
import socket
import struct
import subprocess
import threading
import zlib

APP = 'powerloss_app.so'
TYPE = 'type.googleapis.com/powerloss.Write'
SHARDS = 3             # as in verify.c
REFUSED_EVERY = 61     # as in app.c
ENTITIES = 24
BURST = 16
BURST_BYTES = 55000
WRITERS = 3
IN_FLIGHT = 12
PACE = 0.004           # seconds after an answer: the record need not be long
DEADLINE = 120         # seconds, for anything that is waited for
PORTS = (20000, 32000)
CLAIMS = '127.0.0.77'


class Failure(Exception):
    pass


def asan_options():
    """A preloaded library comes before the sanitizer's own, which does no harm here."""
    return os.environ.get('ASAN_OPTIONS', '') + ':verify_asan_link_order=0'


def die_with_us():
    """For a child: no process outlives this one, however it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)    # PR_SET_PDEATHSIG


# ---- what is sent ----

def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def packed_write(number, entity, text):
    out = b'\x08' + varint(number)
    if entity > 0:
        out += b'\x10' + varint(entity)
    return out + b'\x1a' + varint(len(text)) + text.encode()


def packed_sum(numbers, events):
    return b'\x08' + varint(numbers) + b'\x10' + varint(events)


class Life:
    """A session from its first event to its deletion."""

    def __init__(self):
        self.sent = {}                # crc of the event -> number
        self.delete_sent = None       # place in the trace before the request left
        self.deleted = None           # and after its answer had come


class Journal:
    def __init__(self):
        self.lock = threading.Lock()
        self.number = 0
        self.writes = {}       # number -> (session, life, crc, entity, key)
        self.sessions = {}     # id -> its lives

    def add(self, session_id, entity, size, rng):
        with self.lock:
            self.number += 1
            number = self.number
            lives = self.sessions.setdefault(session_id, [Life()])
            if lives[-1].delete_sent is not None:
                lives.append(Life())
            filler = ''.join(rng.choices('abcdefghijklmnopqrstuvwxyz', k=40)) * (size // 40 + 1)
            text = f'{session_id}:{len(lives)}:{number}:{filler[:size]}'
            crc = zlib.crc32(packed_write(number, entity, text))
            key = f'key-{number}' if rng.random() < 0.15 else None
            lives[-1].sent[crc] = number
            self.writes[number] = (session_id, len(lives) - 1, crc, entity, key)
        return number, text, key


# ---- the daemon ----

def claim_port():
    """A port and the socket that keeps it from other tests, as tests/integration/ports.mjs does."""
    for _ in range(1000):
        port = random.SystemRandom().randrange(*PORTS)    # others may have the same seed
        claim = socket.socket()
        try:
            claim.bind((CLAIMS, port))
            with socket.socket() as probe:
                probe.bind(('127.0.0.1', port))
            return port, claim
        except OSError:
            claim.close()
    raise Failure('no free port')


class Daemon:
    def __init__(self, build, scratch, durability, log_window, kill_after, fail):
        self.port, self.claim = claim_port()
        self.fails = fail is not None
        self.log_path = os.path.join(scratch, 'daemon.log')
        environment = dict(os.environ)
        environment.update({
            'LD_PRELOAD': os.path.join(build, 'tests', 'powerloss_record.so'),
            'SS_POWERLOSS_DISK': os.path.join(scratch, 'disk'),
            'SS_POWERLOSS_TRACE': os.path.join(scratch, 'trace'),
            'SS_POWERLOSS_KILL': str(kill_after),
            'ASAN_OPTIONS': asan_options(),
        })
        if fail is not None:
            environment['SS_POWERLOSS_FAIL'] = ' '.join(str(word) for word in fail)
        self.log = open(self.log_path, 'ab')
        self.process = subprocess.Popen(
            [os.path.join(build, 'bin', 'sessionstreamd'),
             '--app', os.path.join(build, 'tests', 'modules', APP),
             '--listen', f'127.0.0.1:{self.port}',
             '--data', os.path.join(scratch, 'disk', 'data'), '--shards', str(SHARDS),
             '--durability', durability, '--store-map', '64MiB', '--min-free', '0',
             '--log-window', log_window, '--session-cache', '1MiB', '--timeline-policy', 'advance',
             '--log-level', 'warn'],
            env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            preexec_fn=die_with_us)

    def wait_ready(self):
        """False: it was killed before."""
        for _ in range(DEADLINE * 50):
            if self.process.poll() is not None:
                return False
            try:
                connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=DEADLINE)
                connection.request('GET', '/readyz')
                answer = connection.getresponse()
                text = answer.read()
                connection.close()
                # With a shard whose sync has failed it does not become ready, and serves.
                if answer.status == 200 or (self.fails and b'not ready' not in text):
                    return True
            except OSError:
                pass
            threading.Event().wait(0.02)    # a start has no event that could be waited for
        raise Failure('the daemon does not start')

    def end(self):
        """Its exit status after an orderly end; negative: the signal that killed it before."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure('the daemon does not end')
        finally:
            self.log.close()
            self.claim.close()


# ---- clients ----

class Websocket:
    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=DEADLINE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f'GET /v1/ws HTTP/1.1\r\nHost: localhost:{port}\r\n'
                             'Upgrade: websocket\r\nConnection: Upgrade\r\n'
                             f'Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n'
                             'Sec-WebSocket-Protocol: sessionstream.v2.json\r\n\r\n').encode())
        self.bytes = bytearray()
        while b'\r\n\r\n' not in self.bytes:
            self._fill()
        del self.bytes[:self.bytes.find(b'\r\n\r\n') + 4]

    def _fill(self):
        more = self.socket.recv(1 << 16)
        if len(more) == 0:
            raise ConnectionError('closed')
        self.bytes += more

    def send(self, value):
        text = json.dumps(value).encode()
        if len(text) < 126:
            head = struct.pack('!BB', 0x81, 0x80 | len(text))
        elif len(text) < 1 << 16:
            head = struct.pack('!BBH', 0x81, 0x80 | 126, len(text))
        else:
            head = struct.pack('!BBQ', 0x81, 0x80 | 127, len(text))
        self.socket.sendall(head + bytes(4) + text)    # a mask of zeros

    def receive(self):
        while True:
            while len(self.bytes) < 4:
                self._fill()
            length, at = self.bytes[1] & 0x7f, 2
            if length == 126:
                length, at = int.from_bytes(self.bytes[2:4], 'big'), 4
            while len(self.bytes) < at + length:
                self._fill()
            opcode, data = self.bytes[0] & 0x0f, bytes(self.bytes[at:at + length])
            del self.bytes[:at + length]
            if opcode == 1:
                return json.loads(data)
            if opcode == 8:
                raise ConnectionError('closed')

    def close(self):
        self.socket.close()


class Writer(threading.Thread):
    """Owns its sessions: deletes one only when all it wrote to it was answered."""

    def __init__(self, name, daemon, journal, seed, trace_path, until, bulk):
        super().__init__(daemon=True)
        self.prefix = name
        self.port = daemon.port
        self.fails = daemon.fails
        self.journal = journal
        self.rng = random.Random(seed)
        self.trace_path = trace_path
        self.until = until           # an event
        self.bulk = bulk
        self.waiting = {}
        self.error = None

    def run(self):
        try:
            self.socket = Websocket(self.port)
            self.http = http.client.HTTPConnection('127.0.0.1', self.port, timeout=DEADLINE)
            for _ in range(IN_FLIGHT):
                self._submit()
            while len(self.waiting) > 0:
                self._answer(self.socket.receive())
                if not self.until.wait(PACE) and len(self.waiting) < IN_FLIGHT:
                    self._submit()
                    if self.rng.random() < 0.02:
                        self._disturb()
                    if self.bulk and self.rng.random() < 0.025:
                        self._burst()
            self.socket.close()
            self.http.close()
        except (OSError, http.client.HTTPException):
            pass                     # it was killed; what waits may have happened or not
        except Exception as error:   # told to the caller
            self.error = error

    def _session(self):
        kind = self.rng.randrange(12)
        if kind < 8:
            return f'{self.prefix}-hot-{self.rng.randrange(6)}'
        return f'{self.prefix}-young-{self.rng.randrange(60)}' if kind < 11 else \
            f'{self.prefix}-once-{self.rng.randrange(100000)}'

    def _may_write(self, session_id):
        """One whose deletion was not answered is left alone."""
        lives = self.journal.sessions.get(session_id)
        return lives is None or lives[-1].delete_sent is None or lives[-1].deleted is not None

    def _submit(self):
        session_id = self._session()
        while not self._may_write(session_id):
            session_id = self._session()
        self._write(session_id, self.rng.randrange(
            self.rng.choice((20, 200, 400, 900, 900, 3000, 3000, 9000))))

    def _burst(self):
        """Fills the log, and not the store: the session goes before it is filled again."""
        session_id = f'{self.prefix}-bulk-{self.rng.randrange(3)}'
        if session_id in self.waiting.values() or not self._may_write(session_id):
            return
        lives = self.journal.sessions.get(session_id)
        if lives is not None and lives[-1].delete_sent is None:
            self._delete_session(session_id, lives[-1])
        for _ in range(BURST):
            self._write(session_id, BURST_BYTES)

    def _write(self, session_id, size):
        entity = self.rng.randrange(ENTITIES)
        number, text, key = self.journal.add(session_id, entity, size, self.rng)
        submit = {'requestId': f'r{number}', 'sessionId': session_id, 'name': 'Write',
                  'payload': {'@type': TYPE, 'number': str(number), 'entity': entity,
                              'text': text}}
        if key is not None:
            submit['idempotencyKey'] = key
        self.waiting[f'r{number}'] = session_id
        self.socket.send({'submit': submit})

    def _answer(self, frame):
        answer = frame.get('accepted') or frame.get('error') or {}
        self.waiting.pop(answer.get('requestId'), None)

    def _request(self, method, path):
        self.http.request(method, path)
        response = self.http.getresponse()
        response.read()
        return response.status

    def _disturb(self):
        """A deletion or a rebuild of a session that nothing is on its way to."""
        ids = [session_id for session_id in list(self.journal.sessions)
               if session_id.startswith(self.prefix) and
               session_id not in self.waiting.values()]
        if not ids:
            return
        session_id = self.rng.choice(ids)
        life = self.journal.sessions[session_id][-1]
        if life.delete_sent is not None:
            return
        if self.rng.random() < 0.4:
            self._request('POST', f'/v1/sessions/{session_id}/rebuild')
            return
        self._delete_session(session_id, life)

    def _delete_session(self, session_id, life):
        life.delete_sent = os.stat(self.trace_path).st_size
        status = self._request('DELETE', f'/v1/sessions/{session_id}')
        # 404: nothing of it survived a kill, so nothing was acked either.
        if status in (200, 404):
            life.deleted = os.stat(self.trace_path).st_size
        elif not self.fails:
            raise Failure(f'the deletion of {session_id} was answered with {status}')


# ---- a recording ----

class Recording:
    """Runs of one daemon, one after the other, on one directory."""

    def __init__(self, build, scratch, durability, log_window, seed):
        self.build = build
        self.scratch = scratch
        self.durability = durability
        self.log_window = log_window
        self.rng = random.Random(seed)
        self.journal = Journal()
        self.disk_dir = os.path.join(scratch, 'disk')
        self.trace_path = os.path.join(scratch, 'trace')
        os.mkdir(self.disk_dir)
        self.root_ino = os.stat(self.disk_dir).st_ino
        self.run_count = 0
        self.killed = 0
        self.refused = 0

    def run(self, seconds, kill_after=0, rest=0.0, bulk=False, fail=None):
        """A start, @seconds of writes, @rest seconds without, and an end: by the record after
        @kill_after changes, or orderly. @fail: a sync that fails, in
        the words of record_sync.c."""
        self.run_count += 1
        daemon = Daemon(self.build, self.scratch, self.durability, self.log_window, kill_after,
                        fail)
        enough = threading.Event()
        writers = []
        try:
            if daemon.wait_ready():
                writers = [Writer(f'w{index}', daemon, self.journal, self.rng.random(),
                                  self.trace_path, enough, bulk) for index in range(WRITERS)]
                for writer in writers:
                    writer.start()
                try:
                    daemon.process.wait(seconds)
                except subprocess.TimeoutExpired:
                    pass
                enough.set()
                for writer in writers:
                    writer.join(DEADLINE)
                    if writer.error is not None:
                        raise writer.error
                if rest > 0 and daemon.process.poll() is None:
                    try:
                        daemon.process.wait(rest)
                    except subprocess.TimeoutExpired:
                        pass
            elif kill_after == 0 and fail is None:
                raise Failure('the daemon did not start')
        finally:
            enough.set()
            status = daemon.end()
        # One that cannot start says so and ends.
        if status != 0 and not (status == -9 and (kill_after > 0 or fail is not None)) and not (
                status == 1 and fail is not None):
            with open(daemon.log_path, errors='replace') as file:
                raise Failure(f'the daemon ended with {status}:\n{file.read()[-3000:]}')
        self.killed += status == -9
        self.refused += status == 1
        return status
