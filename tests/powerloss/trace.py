"""Reads what the recorder wrote (record.h)."""
import json
import mmap
import struct
from collections import namedtuple

(RUN, CREATE, MKDIR, RESIZE, WRITE, ROOM, RENAME, UNLINK, SYNC, SYNCED, SOCKET,
 ESCAPE, FAILED) = range(1, 14)
DURABLE, REFUSED = 1, 2
HEAD = struct.Struct('=BBHIQQQQ')

# offset: where it begins in the trace.
Record = namedtuple('Record', 'kind flags ino a b name data time_ns offset')


class Trace:
    def __init__(self, path):
        with open(path, 'rb') as file:
            self.bytes = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        self.records = list(self._read())

    def _read(self):
        at = 0
        while at < len(self.bytes):
            kind, flags, name_len, data_len, ino, a, b, time_ns = HEAD.unpack_from(self.bytes, at)
            names = at + HEAD.size
            data = names + name_len
            yield Record(kind, flags, ino, a, b, bytes(self.bytes[names:data]).decode(),
                         self.bytes[data:data + data_len], time_ns, at)
            at = data + data_len

    def first_at(self, offset):
        """Number of records that begin before this place."""
        low, high = 0, len(self.records)
        while low < high:
            middle = (low + high) // 2
            if self.records[middle].offset < offset:
                low = middle + 1
            else:
                high = middle
        return low


def server_frames(stream):
    """The websocket frames in what a server wrote: (end in the stream, text)."""
    head = stream.find(b'\r\n\r\n')
    if not stream.startswith(b'HTTP/1.1 101') or head < 0:
        return
    at = head + 4
    while at + 2 <= len(stream):
        length = stream[at + 1] & 0x7f
        begin = at + 2
        if length == 126:
            begin, length = at + 4, int.from_bytes(stream[at + 2:at + 4], 'big')
        elif length == 127:
            begin, length = at + 10, int.from_bytes(stream[at + 2:at + 10], 'big')
        end = begin + length
        if end > len(stream):
            return
        if stream[at] & 0x0f == 1:
            yield end, stream[begin:end]
        at = end


def answers(trace):
    """What the server said to submits: (number of the record in which the answer left whole,
    answer), in order."""
    streams = {}
    for number, record in enumerate(trace.records):
        if record.kind == RUN:
            for stream in streams.values():
                stream['open'] = False
        elif record.kind == SOCKET:
            stream = streams.get(record.ino)
            if stream is None or not stream['open']:
                stream = streams[(record.ino, number)] = streams[record.ino] = {
                    'open': True, 'bytes': bytearray(), 'ends': []}
            stream['bytes'] += record.data
            stream['ends'].append((len(stream['bytes']), number))
    found = []
    for stream in {id(stream): stream for stream in streams.values()}.values():
        ends = iter(stream['ends'])
        end, number = next(ends)
        for at, text in server_frames(bytes(stream['bytes'])):
            while end < at:
                end, number = next(ends)
            if text.startswith((b'{"accepted"', b'{"error"')):
                found.append((number, json.loads(text)))
    found.sort(key=lambda item: item[0])
    return found
