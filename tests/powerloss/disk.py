"""What a disk may hold after a power failure, from the record of what was done to it.

Two models of a file system:

weak     What POSIX promises and no more. fsync and fdatasync of a file cover its data and size as
         of their begin; fsync of a directory covers its entries. Everything else may be lost or
         kept on its own, in any order: each sector of 512 bytes of a write, each change of size
         (what was not written then is zeros, garbage, or what another file held), each creation,
         renaming and removal, as far as the names allow. A sector and a renaming are whole or not.
journal  As ext4 with ordered data: changes of directories reach the disk in their order, and a
         sync of anything that has such changes to write brings all before it. A file grows only
         by data that is there, from the front. Sectors that are written over are as above.

What a failed sync was to write is as content.py says, in both; but changes of directories wait for
a later sync in the journal, which keeps them in their order.
"""
import os
import random

from content import (SECTOR, Directory, File, apply_data, apply_effects, effects_of, put_sector,
                     size_after)
from trace import (CREATE, DURABLE, FAILED, MKDIR, REFUSED, RENAME, RESIZE, ROOM, SYNC, SYNCED,
                   UNLINK, WRITE)

ROOT = 0

# How the changes that no sync covers are treated.
ALL, NONE, SIZES, GARBAGE, STALE, SECTORS, WRITES, TORN, PREFIX = (
    'all', 'none', 'sizes', 'garbage', 'stale', 'sectors', 'writes', 'torn', 'prefix')
WEAK_WAYS = (ALL, NONE, SIZES, GARBAGE, STALE, SECTORS, SECTORS, WRITES, WRITES, TORN, TORN, PREFIX)
JOURNAL_WAYS = (SECTORS, WRITES, TORN, PREFIX, NONE)


def before(item, begin):
    """Takes out what the sync that began there covers."""
    covered = [change for change in item.pending if change[0] < begin]
    item.pending = [change for change in item.pending if change[0] >= begin]
    return covered


class Disk:
    """The state as of a number of records, in one of the models."""

    def __init__(self, root_ino, journal):
        self.journal = journal
        self.objects = {ROOT: Directory()}
        self.by_ino = {root_ino: ROOT}
        self.next_object = 1
        self.syncs = {}
        self.uncertain = set()     # files of which the disk may have something else than memory
        self.unnamed = {}          # file or directory -> number of its creation, while not covered

    def load(self, root):
        """Begins with what is there, all of it durable."""
        def add(path, directory):
            for name in os.listdir(path):
                full = os.path.join(path, name)
                what = self.next_object
                self.next_object += 1
                self.by_ino[os.stat(full).st_ino] = what
                directory.base[name] = what
                if os.path.isdir(full):
                    self.objects[what] = Directory()
                    add(full, self.objects[what])
                else:
                    self.objects[what] = File()
                    with open(full, 'rb') as file:
                        self.objects[what].base = bytearray(file.read())
        add(root, self.objects[ROOT])
        return self

    # ---- going on ----

    def step(self, number, record):
        kind = record.kind
        if kind in (CREATE, MKDIR):
            what = self.next_object
            self.next_object += 1
            self.objects[what] = File() if kind == CREATE else Directory()
            self.by_ino[record.ino] = what
            self.unnamed[what] = number
            self._entry(record.a, (number, kind, (record.name,), what))
        elif kind == UNLINK:
            self._entry(record.a, (number, kind, (record.name,), self.by_ino[record.ino]))
        elif kind == RENAME:
            if record.a != record.b:
                raise ValueError('a rename from one directory to another is not modelled')
            names = tuple(record.name.split('\0'))
            self._entry(record.a, (number, kind, names, self.by_ino[record.ino]))
        elif kind in (RESIZE, WRITE, ROOM):
            self._data(number, record)
        elif kind == SYNC:
            self.syncs[record.a] = (self.by_ino[record.ino], number)
        elif kind == SYNCED:
            self._cover(*self.syncs.pop(record.a))
        elif kind == FAILED:
            self._fail(*self.syncs.pop(record.a))

    def _entry(self, directory_ino, change):
        self.objects[self.by_ino[directory_ino]].pending.append(change)

    def _data(self, number, record):
        what = self.by_ino[record.ino]
        file = self.objects[what]
        offset, length = (record.a, 0) if record.kind == RESIZE else (record.a, record.b)
        file.pending.append((number, record.kind, offset, length, record.data))
        self.uncertain.add(what)
        if record.flags & REFUSED:
            file.fail([file.pending.pop()])
        elif record.flags & DURABLE:
            # Under way while it is the last record: covered by the next step.
            self.syncs['durable', number] = (what, number)

    def settle_durable(self, number):
        """Writes through a descriptor with O_DSYNC have returned before this record."""
        for key in [key for key in self.syncs if isinstance(key, tuple) and key[1] < number]:
            what, at = self.syncs.pop(key)
            file = self.objects[what]
            change = next((item for item in file.pending if item[0] == at), None)
            if change is not None:
                file.pending.remove(change)
                file.cover(change)
                self._judge(what)

    def _judge(self, what):
        if not self.objects[what].uncertain():
            self.uncertain.discard(what)

    def _cover(self, what, begin):
        item = self.objects[what]
        if self.journal and self._has_names(what, item, begin):
            for other in self.objects.values():
                if isinstance(other, Directory):
                    self._cover_entries(other, begin)
        if isinstance(item, Directory):
            self._cover_entries(item, begin)
            return
        for change in before(item, begin):
            item.cover(change)
        self._judge(what)

    def _fail(self, what, begin):
        item = self.objects[what]
        if not (self.journal and isinstance(item, Directory)):
            item.fail(before(item, begin))

    def _has_names(self, what, item, begin):
        if isinstance(item, Directory):
            return any(change[0] < begin for change in item.pending)
        grows = any(change[0] < begin and
                    size_after(item.synced_size(), change) != item.synced_size()
                    for change in item.pending)
        return grows or self.unnamed.get(what, begin) < begin

    def _cover_entries(self, directory, begin):
        covered = before(directory, begin)
        for change in covered:
            directory.cover(change)
            self.unnamed.pop(change[3], None)
        directory.version += len(covered) > 0

    # ---- what may be there ----

    def lossy(self):
        """Whether a sync has failed of which something is still in memory only."""
        return any(item.lost for item in self.objects.values())

    def uncovered(self):
        return bool(self.uncertain) or any(
            item.pending or item.lost for item in self.objects.values()
            if isinstance(item, Directory))

    def choose(self, way, rng):
        """One state: {path: content, or None for a directory}, and what tells it from others."""
        cut = rng.randrange(1 << 30) if way == PREFIX else None
        choice = Choice(self, way, rng, cut)
        tree = {}
        choice.directory(ROOT, '', tree)
        return tree, choice.signature()


class Choice:
    def __init__(self, disk, way, rng, cut):
        self.disk = disk
        self.way = way
        self.rng = rng
        self.marks = []
        self.stop = None
        if cut is not None or disk.journal:
            numbers = sorted(change[0] for item in disk.objects.values()
                             for change in item.pending
                             if isinstance(item, Directory) or cut is not None)
            at = len(numbers) if way == ALL else rng.randrange(len(numbers) + 1)
            self.stop = numbers[at] if at < len(numbers) else 1 << 62
            if way == NONE:
                self.stop = 0

    def signature(self):
        return hash(tuple(self.marks))

    def directory(self, what, path, tree):
        directory = self.disk.objects[what]
        entries = dict(directory.base)
        found, gone = self._lost_entries(directory)
        kept = self._entries(directory, gone)
        for _, _, effects in found:
            apply_effects(entries, effects)
        for change in kept:
            apply_effects(entries, effects_of(change))
        self.marks.append((what, directory.version, tuple(item[0] for item in found),
                           tuple(change[0] for change in kept)))
        for name in sorted(entries):
            child = entries[name]
            below = f'{path}/{name}' if path else name
            if isinstance(self.disk.objects[child], Directory):
                tree[below] = None
                self.directory(child, below, tree)
            else:
                tree[below] = self._content(child, name)

    def _lost_entries(self, directory):
        """Those whose sync failed and that are there all the same, and what the others touch."""
        if self.way in (ALL, NONE):
            return (directory.lost, set()) if self.way == ALL else ([], set())
        kept, gone = [], set()
        chance = self.rng.choice((0.0, 0.5, 1.0))
        for item in directory.lost:
            if item[1] & gone or self.rng.random() >= chance:
                gone |= item[1]
            else:
                kept.append(item)
        return kept, gone

    def _entries(self, directory, gone):
        if self.stop is not None:
            return [change for change in directory.pending if change[0] < self.stop]
        if self.way == NONE:
            return []
        if self.way in (ALL, SIZES, GARBAGE, STALE):
            return directory.pending
        # Each on its own, but for those that build on one that is lost.
        kept, lost = [], set(gone)
        chance = self.rng.choice((0.3, 0.6, 0.9))
        for change in directory.pending:
            touched = set(change[2]) | {change[3]}
            if touched & lost or self.rng.random() >= chance:
                lost |= touched
            else:
                kept.append(change)
        return kept

    def _content(self, what, name):
        file = self.disk.objects[what]
        if name == 'lock.mdb':
            return bytes(self.rng.randrange(256) for _ in range(64)) * (file.size() // 64)
        self.marks.append((what, file.version))
        if not file.uncertain() or self.way == NONE:
            return file.base
        content = bytearray(file.base)
        self.brought = set()
        self._lost(file, content)
        if not file.pending:
            return content
        if self.way == ALL or self.way == PREFIX:
            self._prefix(file, content)
        elif self.way in (SIZES, GARBAGE, STALE):
            self._sizes(what, file, content)
        elif self.way == WRITES:
            self._writes(file, content)
        elif self.way == TORN:
            self._torn(file, content)
        else:
            for change in file.pending:
                self._sectors(file, content, change)
        return content

    def _lost(self, file, content):
        """What failed syncs were to bring."""
        if not file.lost and file.lost_size is None:
            return
        share = 1.0 if self.way == ALL else self.rng.choice((0.0, 0.0, 0.5, 0.9, 1.0))
        if file.lost_size is not None and (share == 1.0 or self.rng.random() < share):
            fill = len(content) < file.lost_size and self.way == GARBAGE
            old = len(content)
            apply_data(content, (0, RESIZE, file.lost_size, 0, b''))
            if fill:
                content[old:] = self.rng.randbytes(len(content) - old)
        limit = max(len(content), len(file.base))
        for sector in sorted(file.lost):
            if sector * SECTOR < limit and self.rng.random() < share:
                versions = file.lost[sector]
                version = -1 if self.way == ALL else self.rng.randrange(len(versions))
                put_sector(content, sector, versions[version])
                self.marks.append((sector, version))
        self.marks.append(len(content))

    def _prefix(self, file, content):
        count = 0
        for change in file.pending:
            if self.way == PREFIX and self.stop is not None and change[0] >= self.stop:
                break
            file.bring(content, change, self.brought)
            count += 1
        self.marks.append(count)

    def _sizes(self, what, file, content):
        size = file.size()
        old = len(content)
        if size <= old:
            del content[size:]
        elif self.way == SIZES:
            content.extend(bytes(size - old))
        elif self.way == GARBAGE:
            content.extend(self.rng.randbytes(size - old))
        else:
            content.extend(self._stale(what, size - old))
        self.marks.append((self.way, size, hash(bytes(content[old:old + 64]))))

    def _stale(self, what, length):
        """What another file of the disk held."""
        others = [item.base for key, item in self.disk.objects.items()
                  if isinstance(item, File) and key != what and len(item.base) >= SECTOR]
        if not others:
            return bytes(length)
        other = self.rng.choice(others)
        return (bytes(other) * (length // len(other) + 1))[:length]

    def _writes(self, file, content):
        chance = self.rng.choice((0.3, 0.6, 0.9))
        for change in file.pending:
            keep = self.rng.random() < chance
            self.marks.append(keep)
            if keep and not (self.disk.journal and change[2] > len(content)):
                file.bring(content, change, self.brought)

    def _torn(self, file, content):
        for change in file.pending[:-1]:
            file.bring(content, change, self.brought)
        self._sectors(file, content, file.pending[-1], torn=True)

    def _sectors(self, file, content, change, torn=False):
        number, kind, offset, length, data = change
        if kind != WRITE:
            keep = self.rng.random() < 0.5
            self.marks.append((number, keep))
            if keep:
                apply_data(content, change)
            return
        count = (offset % SECTOR + length + SECTOR - 1) // SECTOR
        if torn:
            at = self.rng.randrange(count + 1)
            front = (1 << at) - 1
            bits = front if self.rng.random() < 0.5 else ((1 << count) - 1) & ~front
        else:
            bits = self.rng.getrandbits(count)
            if self.rng.random() < 0.5:    # lost ones are rare
                bits |= self.rng.getrandbits(count) | self.rng.getrandbits(count)
        self.marks.append((number, bits))
        begin = offset
        for sector in range(count):
            end = min(offset + length, (begin // SECTOR + 1) * SECTOR)
            grows = end > len(content)
            if bits >> sector & 1:
                piece = data[begin - offset:end - offset] if len(data) > 0 else b''
                file.bring(content, (number, WRITE, begin, end - begin, piece), self.brought)
            elif grows and self.disk.journal:
                return    # it ends here
            elif grows and not torn and self.rng.random() < 0.5:
                fill = self.rng.randbytes(end - begin) if self.rng.random() < 0.5 else b''
                apply_data(content, (number, WRITE, begin, end - begin, fill))
            begin = end


# ---- trees ----

def write_tree(tree, root):
    for path, content in tree.items():
        full = os.path.join(root, path)
        if content is None:
            os.mkdir(full, 0o750)
        else:
            with open(full, 'wb', buffering=0) as file:
                view = memoryview(content)
                while len(view) > 0:
                    view = view[file.write(view):]


def read_tree(root):
    tree = {}
    for folder, folders, files in os.walk(root):
        for name in folders:
            tree[os.path.relpath(os.path.join(folder, name), root)] = None
        for name in files:
            full = os.path.join(folder, name)
            with open(full, 'rb') as file:
                tree[os.path.relpath(full, root)] = file.read()
    return tree


def differences(rebuilt, real):
    """Where the rebuilt end is not the real one. The reader table of LMDB is written to through a
    map and made anew by whoever opens it first."""
    found = []
    for path in sorted(rebuilt.keys() | real.keys()):
        if path not in rebuilt or path not in real:
            found.append(f'{path} is only in the {"directory" if path in real else "record"}')
        elif os.path.basename(path) == 'lock.mdb':
            continue
        elif (rebuilt[path] is None) != (real[path] is None) or (
                rebuilt[path] is not None and bytes(rebuilt[path]) != bytes(real[path])):
            found.append(f'{path} differs')
    return found


def replay(trace, root_ino):
    """All of the record, as if nothing had been lost."""
    disk = Disk(root_ino, journal=False)
    for number, record in enumerate(trace.records):
        disk.settle_durable(number)
        disk.step(number, record)
    disk.settle_durable(len(trace.records))
    return disk.choose(ALL, random.Random(0))[0]
