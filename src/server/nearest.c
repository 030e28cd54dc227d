#include "server/nearest.h"

static char fold(char byte)
{
    return byte == '_' ? '-' : byte;
}

unsigned ss__nearest_distance(struct ss_str a, struct ss_str b)
{
    unsigned row[SS_NEAREST_BYTES_MAX + 1];
    b.len = b.len > SS_NEAREST_BYTES_MAX ? SS_NEAREST_BYTES_MAX : b.len;
    for (unsigned j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned best = diagonal + (fold(a.data[i - 1]) == fold(b.data[j - 1]) ? 0 : 1);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[b.len];
}
