"""What must be in a directory that was rebuilt as of a moment of the record."""
import bisect
import zlib

from trace import CREATE, MKDIR, RENAME, RUN, SYNC, SYNCED, answers
from workload import REFUSED_EVERY, packed_sum

AFTERWARDS = 'afterwards'    # as in verify.c
TORN = 'the last batch was cut off'


class Dump:
    """What powerloss_verify said of one directory."""

    def __init__(self, lines):
        self.before, self.after, self.errors, self.again = [], [], [], []
        self.shards, self.sessions, self.commands = [], {}, {}
        self.made = False
        self.notes = 0
        session = None
        for line in lines:
            word, _, rest = line.partition(' ')
            if word == 'before':
                self.before.append(rest)
            elif word == 'after':
                self.after.append(rest)
            elif word == 'error':
                self.errors.append(rest)
            elif word == 'again':
                self.again.append(rest)
            elif word == 'made':
                self.made = rest == '1'
            elif word == 'shard':
                self.shards.append(dict(item.split('=') for item in rest.split()[1:]))
            elif word == 'session':
                shard, ordinal, quarantined, name = rest.split(' ', 3)
                session = {'shard': int(shard), 'ordinal': int(ordinal), 'events': [],
                           'quarantined': quarantined != '0', 'timelines': {}, 'entities': {}}
                self.sessions[name] = session
            elif word == 'events':
                session['events'] = [None if crc == 'gap' else int(crc, 16)
                                     for crc in rest.split()]
            elif word == 'timeline':
                name, ordinal = rest.split()
                session['timelines'][name] = int(ordinal)
                session['entities'].setdefault(name, {})
            elif word == 'entity':
                name, _, entity, last, crc = rest.split()
                session['entities'][name][entity] = (int(last), int(crc, 16))
            elif word == 'command':
                name, key, ordinal, code = rest.split()
                self.commands[name, key] = (int(ordinal), int(code))
            elif word == 'note':
                self.notes += 1


def shard_of_files(trace):
    """Of each record of a file of the log, the shard: {inode: [(from record, shard, name)]}."""
    folders, files = {}, {}
    for number, record in enumerate(trace.records):
        if record.kind == MKDIR and record.name.startswith('shard-'):
            folders[record.ino] = int(record.name[6:])
        elif record.kind in (CREATE, RENAME) and record.a in folders:
            name = record.name.split('\0')[-1]
            files.setdefault(record.ino, []).append((number, folders[record.a], name))
    return files


def log_syncs(trace):
    """Per shard, the syncs of the file that its log was written to: (end, begin) as numbers of
    records, ascending."""
    files = shard_of_files(trace)
    begun, found = {}, {}
    for number, record in enumerate(trace.records):
        if record.kind not in (SYNC, SYNCED) or record.ino not in files:
            continue
        named = [item for item in files[record.ino] if item[0] < number]
        if record.kind == SYNC:
            if named and named[-1][2].startswith('log-'):
                begun[record.a] = (number, named[-1][1])
        elif record.a in begun:
            begin, shard = begun.pop(record.a)
            found.setdefault(shard, []).append((number, begin))
    return found


class Judge:
    def __init__(self, trace, journal, durability):
        self.trace = trace
        self.journal = journal
        self.durability = durability.partition(':')[0]
        self.acked = {}            # session -> life -> [(record, ordinal, crc, key)]
        self.acks = []             # records in which acks left, ascending
        self.refusals = {}
        self.runs = [number for number, record in enumerate(trace.records) if record.kind == RUN]
        for number, frame in answers(trace):
            answer = frame.get('accepted')
            if answer is None:
                code = frame['error'].get('code')
                self.refusals[code] = self.refusals.get(code, 0) + 1
                continue
            session_id, life, crc, _, key = journal.writes[int(answer['requestId'][1:])]
            self.acked.setdefault(session_id, {}).setdefault(life, []).append(
                (number, int(answer['ordinal']), crc, key))
            self.acks.append(number)
        self.deleted = {}          # session -> life -> (records before sending, before knowing)
        for session_id, lives in journal.sessions.items():
            for index, life in enumerate(lives):
                if life.delete_sent is not None:
                    known = trace.first_at(life.deleted) if life.deleted is not None else 1 << 62
                    self.deleted.setdefault(session_id, {})[index] = (
                        trace.first_at(life.delete_sent), known)
        self.syncs = log_syncs(trace)
        self.shards = {}           # session -> its shard, once it has been seen

    def acked_count(self, number):
        return bisect.bisect_left(self.acks, number)

    def _kept_before(self, session_id, number):
        """Acks that left before this record must be kept as of @number."""
        if self.durability == 'fsync':
            return number
        if self.durability == 'none':
            return 0
        shards = [self.shards[session_id]] if session_id in self.shards else list(self.syncs)
        kept = number
        for shard in shards:
            syncs = self.syncs.get(shard, [])
            at = bisect.bisect_left(syncs, (number, 0))
            kept = min(kept, syncs[at - 1][1] if at > 0 else 0)
        return kept if shards else 0

    def longest_wait_ms(self):
        """From an ack to the end of the sync that covers it, of those that the process lived to
        see."""
        longest = 0
        for session_id, lives in self.acked.items():
            syncs = self.syncs.get(self.shards.get(session_id), [])
            begins = [begin for _, begin in syncs]
            for number in (item[0] for items in lives.values() for item in items):
                at = bisect.bisect_left(begins, number)
                end = bisect.bisect_left(self.runs, number)
                if at < len(syncs) and (end == len(self.runs) or syncs[at][0] < self.runs[end]):
                    wait = self.trace.records[syncs[at][0]].time_ns - \
                        self.trace.records[number].time_ns
                    longest = max(longest, wait / 1e6)
        return longest

    def judge(self, dump, number, first=None):
        """What is wrong, as texts. @first: what was found when the directory was opened before, if
        the power failed again meanwhile."""
        faults = [f'error: {text}' for text in dump.errors]
        if not dump.made:
            faults += [f'check before: {text}' for text in dump.before if TORN not in text]
        faults += [f'check after: {text}' for text in dump.after]
        faults += ['a second start found other things'] * dump.again.count('other')
        torn = any(TORN in text for text in dump.before + (first.before if first else []))
        for shard in dump.shards:
            if shard['damaged'] != '0':
                faults.append(f'{shard["damaged"]} damaged records')
            if self.durability == 'fsync' and not torn and int(shard['incarnation']) != 1:
                faults.append('every epoch changed for no reason')
        lost = 0
        for session_id, session in dump.sessions.items():
            if first is not None and session_id == AFTERWARDS:
                continue
            if session_id not in self.journal.sessions:
                faults.append(f'{session_id} was never written to')
            elif self.durability != 'fsync':
                self.shards.setdefault(session_id, session['shard'])
        for session_id in self.journal.sessions:
            session = dump.sessions.get(session_id)
            here = self._session(session_id, session, dump, number, faults)
            shard = session['shard'] if session else self.shards.get(session_id)
            if (here > 0 and first is None and shard is not None and
                    dump.shards[shard]['clean'] == '1'):
                faults.append(f'{session_id}: acked events are lost and the end counts as clean')
            lost += here
        if lost > 0 and all(int(shard['incarnation']) == 1 for shard in dump.shards):
            faults.append(f'{lost} acked events are lost and no epoch has changed')
        return faults

    def _session(self, session_id, session, dump, number, faults):
        """Returns how many acked events are rightly lost."""
        kept = self._kept_before(session_id, number)
        acked = self.acked.get(session_id, {})
        deleted = self.deleted.get(session_id, {})
        first_life = max([life for life, items in acked.items() if items[0][0] < kept] +
                         [life + 1 for life, (_, known) in deleted.items() if known < kept] + [0])
        if session is None:
            here = [item for item in acked.get(first_life, []) if item[0] < kept]
            if here and not (first_life in deleted and deleted[first_life][0] < number):
                faults.append(f'{session_id} is missing, with {len(here)} acked events')
            if any(sent < number for sent, _ in deleted.values()):
                return 0    # rightly gone, or nobody can tell
            return sum(item[0] < number for item in acked.get(first_life, []))
        if session['quarantined']:
            faults.append(f'{session_id} is set aside')
        events = session['events']
        if len(events) != session['ordinal']:
            faults.append(f'{session_id} has {len(events)} events and says {session["ordinal"]}')
        lives = self.journal.sessions[session_id]
        life = next((index for index, one in enumerate(lives)
                     if all(crc in one.sent for crc in events)), None)
        if life is None:
            faults.append(f'{session_id} has an event that was never sent, or of two lives')
            return 0
        if events and life < first_life:
            faults.append(f'{session_id} shows life {life}, which ended before {first_life}')
            return 0
        if len(set(events)) != len(events):
            faults.append(f'{session_id} has an event twice')
        lost = self._acked(session_id, life, events, dump, number, kept, faults)
        self._fold(session_id, session, lives[life], faults)
        return lost

    def _acked(self, session_id, life, events, dump, number, kept, faults):
        lost = 0
        for record, ordinal, crc, key in self.acked.get(session_id, {}).get(life, []):
            if record >= number:
                continue
            there = ordinal <= len(events) and events[ordinal - 1] == crc
            if not there and record < kept:
                faults.append(f'{session_id}: event {ordinal} was acked and is lost')
            elif not there and ordinal <= len(events) and self.durability == 'fsync':
                faults.append(f'{session_id}: event {ordinal} is another one')
            lost += not there
            if there and key is not None and dump.commands.get(
                    (session_id, key)) != (ordinal, 0):
                faults.append(f'{session_id}: the result of {key} is lost')
        return lost

    def _fold(self, session_id, session, life, faults):
        events = session['events']
        for name, ordinal in session['timelines'].items():
            if ordinal > len(events):
                faults.append(f'{session_id}: {name} shows event {ordinal} of {len(events)}')
                continue
            want = {}
            numbers = count = last = 0
            for at, crc in enumerate(events[:ordinal], 1):
                written = life.sent[crc]
                if name == 'latest':
                    want[str(self.journal.writes[written][3])] = (at, crc)
                elif written % REFUSED_EVERY != 0:
                    numbers, count, last = numbers + written, count + 1, at
            if name == 'sums' and count > 0:
                want['sum'] = (last, zlib.crc32(packed_sum(numbers, count)))
            if session['entities'][name] != want:
                faults.append(f'{session_id}: {name} is not the fold of {ordinal} events')
