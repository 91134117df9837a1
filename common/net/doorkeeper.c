/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/doorkeeper.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include "common/net/throttle.h"

enum { SOURCE_AT = 12, WHOLE = 0xffff }; /* in the IPv4 header; bytes of a packet that pass */

void doorkeeper_set(int fd, const uint32_t *shut, size_t len)
{
    struct sock_filter code[THROTTLE_SHUT_MAX + 3];
    struct sock_fprog program = { .filter = code };
    unsigned n = 0;
    int none = 0;

    if (len == 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none));
        return;
    }
    if (len != SIZE_MAX) {
        assert(len <= THROTTLE_SHUT_MAX);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                 (uint32_t)SKF_NET_OFF + SOURCE_AT);
        for (size_t i = 0; i < len; i++) /* jumps to the last instruction */
            code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(shut[i]),
                                                     (uint8_t)(len - i), 0);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, WHOLE);
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    program.len = (unsigned short)n;
    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}
