"""What the disk has of a file or a directory for certain, and what it may have besides.

A change is pending until a sync covers it. A sync that fails leaves its changes to themselves: the
kernel shows them from memory and counts them as written, so that no later sync brings them to the
disk, unless they are made again. A sector of which a byte is written later goes to the disk as a
whole, with what memory shows.
"""
from trace import CREATE, MKDIR, RESIZE, UNLINK, WRITE

SECTOR = 512


def size_after(size, change):
    _, kind, offset, length, _ = change
    return offset if kind == RESIZE else max(size, offset + length)


def apply_data(content, change):
    _, kind, offset, length, data = change
    if kind == RESIZE:
        if offset < len(content):
            del content[offset:]
        else:
            content.extend(bytes(offset - len(content)))
        return
    if offset + length > len(content):
        content.extend(bytes(offset + length - len(content)))
    if kind == WRITE:
        content[offset:offset + length] = data if len(data) > 0 else bytes(length)


def sectors_of(change):
    _, kind, offset, length, _ = change
    if kind != WRITE or length == 0:
        return range(0)
    return range(offset // SECTOR, (offset + length - 1) // SECTOR + 1)


def put_sector(content, sector, data):
    begin = sector * SECTOR
    if begin > len(content):
        content.extend(bytes(begin - len(content)))
    content[begin:begin + len(data)] = data


class File:
    def __init__(self):
        self.base = bytearray()    # covered by syncs
        self.pending = []          # (number, kind, offset, length, data)
        self.lost = {}             # sector -> what it had at failed syncs; memory shows the last
        self.lost_size = None      # the size that memory shows, if a failed sync was to write it
        self.version = 0

    def synced_size(self):
        return len(self.base) if self.lost_size is None else self.lost_size

    def size(self):
        size = self.synced_size()
        for change in self.pending:
            size = size_after(size, change)
        return size

    def uncertain(self):
        return bool(self.pending or self.lost or self.lost_size is not None)

    def bring(self, content, change, brought):
        """A change reaches the disk, with the rest of its sectors as memory has it. @brought:
        sectors of which that has been done."""
        for sector in sectors_of(change):
            if sector in self.lost and sector not in brought:
                put_sector(content, sector, self.lost[sector][-1])
                brought.add(sector)
        apply_data(content, change)

    def cover(self, change):
        """It is on the disk for certain."""
        shown = self.synced_size()
        after = size_after(shown, change)
        self.bring(self.base, change, set())
        for sector in sectors_of(change):
            self.lost.pop(sector, None)
        if after != shown:
            apply_data(self.base, (change[0], RESIZE, after, 0, b''))
            end = (after + SECTOR - 1) // SECTOR
            self.lost = {sector: data for sector, data in self.lost.items() if sector < end}
            self.lost_size = None
        elif self.lost_size is not None and len(self.base) == after:
            self.lost_size = None
        self.version += 1

    def fail(self, changes):
        """The sync that was to cover them has failed."""
        image = bytearray(self.base)
        apply_data(image, (0, RESIZE, self.synced_size(), 0, b''))
        for sector, data in self.lost.items():
            put_sector(image, sector, data[-1])
        for change in changes:
            apply_data(image, change)
            for sector in sectors_of(change):
                self.lost.setdefault(sector, []).append(
                    bytes(image[sector * SECTOR:(sector + 1) * SECTOR]))
        end = (len(image) + SECTOR - 1) // SECTOR
        self.lost = {sector: data for sector, data in self.lost.items() if sector < end}
        self.lost_size = len(image) if len(image) != len(self.base) else None
        self.version += 1


def effects_of(change):
    """What the names are after it; None: gone."""
    _, kind, names, what = change
    if kind in (CREATE, MKDIR):
        return {names[0]: what}
    if kind == UNLINK:
        return {names[0]: None}
    return {names[0]: None, names[1]: what}


def apply_effects(entries, effects):
    for name, what in effects.items():
        if what is None:
            entries.pop(name, None)
        else:
            entries[name] = what


class Directory:
    def __init__(self):
        self.base = {}
        self.pending = []          # (number, kind, names, object)
        self.lost = []             # (number, names and object, what of it was not made again)
        self.version = 0

    def cover(self, change):
        """On the disk for certain: whatever was lost of these names has been made again."""
        effects = effects_of(change)
        apply_effects(self.base, effects)
        for item in self.lost:
            for name in effects:
                item[2].pop(name, None)
        self.lost = [item for item in self.lost if item[2]]

    def fail(self, changes):
        self.lost += [(change[0], set(change[2]) | {change[3]}, effects_of(change))
                      for change in changes]
        self.version += 1
