/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "worker/core/agent.h"

const char *agent_event_name(enum agent_event_kind kind)
{
    static const char *const name[AGENT_EVENTS] = {
        [AGENT_EV_CONNECTED] = "connected",
        [AGENT_EV_DISCONNECTED] = "disconnected",
        [AGENT_EV_WELCOME] = "welcome",
        [AGENT_EV_REFUSE] = "refuse",
        [AGENT_EV_LEASE] = "lease",
        [AGENT_EV_CANCEL] = "cancel",
        [AGENT_EV_ACK] = "ack",
        [AGENT_EV_STARTED] = "started",
        [AGENT_EV_WITHDRAWN] = "withdrawn",
        [AGENT_EV_EXAMPLE] = "example",
        [AGENT_EV_FINISHED] = "finished",
        [AGENT_EV_DRAIN] = "drain",
        [AGENT_EV_TICK] = "tick",
    };
    assert(kind < AGENT_EVENTS);
    return name[kind];
}

const char *agent_action_name(enum agent_action_kind kind)
{
    static const char *const name[AGENT_ACTIONS] = {
        [AGENT_SEND_HELLO] = "send_hello",
        [AGENT_SEND_HEARTBEAT] = "send_heartbeat",
        [AGENT_SEND_CREDITS] = "send_credits",
        [AGENT_SEND_RENEW] = "send_renew",
        [AGENT_SEND_EXAMPLE] = "send_example",
        [AGENT_SEND_RESULT] = "send_result",
        [AGENT_SEND_GOODBYE] = "send_goodbye",
        [AGENT_QUEUE] = "queue",
        [AGENT_WITHDRAW] = "withdraw",
        [AGENT_STOP] = "stop",
        [AGENT_END_EXAMPLE] = "end_example",
        [AGENT_FORGET] = "forget",
        [AGENT_EXIT] = "exit",
    };
    assert(kind < AGENT_ACTIONS);
    return name[kind];
}

const char *agent_link_name(enum agent_link link)
{
    static const char *const name[AGENT_LINKS] = {
        [AGENT_OFFLINE] = "offline", [AGENT_GREETING] = "greeting", [AGENT_ONLINE] = "online",
        [AGENT_LEAVING] = "leaving", [AGENT_GONE] = "gone",
    };
    assert(link < AGENT_LINKS);
    return name[link];
}
