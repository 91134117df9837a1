/* SPDX-License-Identifier: Apache-2.0 */
/* net.c - one link per host. As ZeroMQ over TCP by default: in order, no duplicates, and all that
 * is under way is lost when a connection breaks. Hostile by option: duplicates and reordering. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "tests/sim/sim.h"

/* Sometimes one that belonged to another connection before, perhaps to another worker. */
static uint64_t new_peer_id(struct sim *m, uint32_t host)
{
    uint64_t old = 1 + rng_below(&m->rng, (uint32_t)m->peers + 1);

    if (!m->conf.reuse || !m->faults_on || old > m->peers || rng_below(&m->rng, 2))
        return ++m->peers;
    for (uint32_t h = 0; h < m->conf.hosts; h++)
        if (m->link[h].peer == old && h != host)
            return ++m->peers;
    m->fired[F_REUSE] = true;
    return old;
}

void net_connect(struct sim *m, uint32_t host, bool new_peer)
{
    struct link *l = &m->link[host];
    l->turn++;
    if (new_peer || l->peer == 0)
        l->peer = new_peer_id(m, host);
    l->last_ms[0] = l->last_ms[1] = m->now_ms;
}

void net_cut(struct sim *m, uint32_t host)
{
    if (m->conf.silent && m->host[host].agent.link == AGENT_OFFLINE)
        return; /* there is none yet */
    sim_trace(m, "fault: connection of host %u breaks", host);
    m->fired[F_CUT] = true;
    if (m->conf.silent) {
        net_connect(m, host, false);
        return;
    }
    net_connect(m, host, true);
    sim_post(
        m, (struct sim_event){ .kind = SE_DISCONNECTED, .host = host, .turn = m->link[host].turn },
        sim_about(m, 5));
    sim_post(m,
             (struct sim_event){ .kind = SE_CONNECTED, .host = host, .turn = m->link[host].turn },
             10 + sim_about(m, 40));
}

uint32_t net_host_of(const struct sim *m, uint64_t peer)
{
    for (uint32_t h = 0; h < m->conf.hosts; h++)
        if (m->link[h].peer == peer && m->host[h].alive)
            return h;
    return HOSTS_MAX;
}

static void put(struct sim *m, uint32_t host, uint32_t dir, const struct msg *msg)
{
    struct link *l = &m->link[host];
    uint64_t at_ms = m->now_ms + m->conf.delay_min_ms + sim_about(m, m->conf.delay_mean_ms);
    at_ms = MAX(at_ms, l->blocked_until_ms[dir]);
    if (!m->conf.reorder)
        at_ms = MAX(at_ms, l->last_ms[dir]);
    else if (at_ms < l->last_ms[dir])
        m->fired[F_REORDER] = true;
    l->last_ms[dir] = MAX(at_ms, l->last_ms[dir]);
    sim_post(m,
             (struct sim_event){ .kind = SE_DELIVER,
                                 .host = host,
                                 .dir = dir,
                                 .turn = l->turn,
                                 .msg = mem_dup(msg, msg_size(msg)) },
             at_ms - m->now_ms);
}

void net_send(struct sim *m, uint32_t host, uint32_t dir, const struct msg *msg)
{
    put(m, host, dir, msg);
    if (m->faults_on && sim_chance(m, m->conf.duplicate)) {
        m->fired[F_DUPLICATE] = true;
        put(m, host, dir, msg);
    }
}

/* The receiver is stopped: the message waits in its socket, in order with the others. */
static bool waits(struct sim *m, struct sim_event *e, uint64_t until_ms)
{
    if (until_ms <= m->now_ms)
        return false;
    sim_post(m, *e, until_ms - m->now_ms);
    return true;
}

void net_deliver(struct sim *m, struct sim_event *e)
{
    struct link *l = &m->link[e->host];
    struct host *h = &m->host[e->host];

    if (e->turn == l->turn && e->dir == TO_HOST && h->alive) {
        if (waits(m, e, h->stopped_until_ms))
            return;
        host_message(m, e->host, e->msg);
    } else if (e->turn == l->turn && e->dir == TO_COORDINATOR && m->coord.up) {
        if (waits(m, e, m->coord.stopped_until_ms))
            return;
        e->msg->peer = l->peer;
        coord_message(m, e->msg);
    }
    m->fired[F_LOSS] |= e->turn != l->turn;
    free(e->msg);
    e->msg = NULL;
}

/* The worker tells something once more, long after it was acked. */
void net_again(struct sim *m, struct sim_event *e)
{
    struct host *h = &m->host[e->host];

    if (h->alive && h->worker == e->turn && h->agent.link == AGENT_ONLINE) {
        m->fired[F_TWICE] = true;
        net_send(m, e->host, TO_COORDINATOR, e->msg);
    }
    free(e->msg);
    e->msg = NULL;
}
