#include "gateway/snapshot_budget.h"

#include <stdlib.h>

#include <sessionstream/error.h>

#include "core/contract.h"

struct held {
    const struct ss_buf *buf;
    uint32_t queues;
};

static struct ss_str address_of(const struct ss_buf *const *buf)
{
    return ss_str_of(buf, sizeof *buf);
}

static bool matches_address(const void *value, struct ss_str key)
{
    const struct held *held = value;
    return memcmp(&held->buf, key.data, sizeof held->buf) == 0;
}

void ss__snapshot_budget_init(struct ss_snapshot_budget *budget, uint64_t bytes_max)
{
    *budget = (struct ss_snapshot_budget){ .bytes_max = bytes_max };
    ss__map_init(&budget->held, matches_address);
}

void ss__snapshot_budget_deinit(struct ss_snapshot_budget *budget)
{
    SS_REQUIRE(budget->held.count == 0);
    ss__map_deinit(&budget->held);
}

static int hold(struct ss_snapshot_budget *budget, const struct ss_buf *buf, uint64_t bytes_max)
{
    uint64_t hash = ss__map_hash(address_of(&buf));
    struct held *held = ss__map_get(&budget->held, hash, address_of(&buf));
    if (held != NULL) {
        held->queues++;
        return 0;
    }
    if (budget->bytes > 0 && budget->bytes + buf->len > bytes_max) {
        return SS_E_BUSY;
    }
    held = malloc(sizeof *held);
    if (held == NULL) {
        return SS_E_NOMEM;
    }
    *held = (struct held){ buf, 1 };
    if (ss__map_put(&budget->held, hash, held) != 0) {
        free(held);
        return SS_E_NOMEM;
    }
    budget->bytes += buf->len;
    return 0;
}

int ss__snapshot_budget_hold(struct ss_snapshot_budget *budget, const struct ss_buf *buf)
{
    return hold(budget, buf, budget->bytes_max);
}

int ss__snapshot_budget_hold_page(struct ss_snapshot_budget *budget, const struct ss_buf *buf)
{
    return hold(budget, buf, UINT64_MAX);
}

bool ss__snapshot_budget_reserve(struct ss_snapshot_budget *budget, uint32_t bytes)
{
    if (budget->bytes > 0 && budget->bytes + bytes > budget->bytes_max) {
        return false;
    }
    budget->bytes += bytes;
    return true;
}

void ss__snapshot_budget_unreserve(struct ss_snapshot_budget *budget, uint32_t bytes)
{
    SS_REQUIRE(budget->bytes >= bytes);
    budget->bytes -= bytes;
}

void ss__snapshot_budget_release(struct ss_snapshot_budget *budget, const struct ss_buf *buf)
{
    uint64_t hash = ss__map_hash(address_of(&buf));
    struct held *held = ss__map_get(&budget->held, hash, address_of(&buf));
    SS_INSIST(held != NULL);
    if (--held->queues > 0) {
        return;
    }
    budget->bytes -= buf->len;
    SS_INSIST(ss__map_remove(&budget->held, hash, held));
    free(held);
}
