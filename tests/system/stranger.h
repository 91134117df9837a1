/* SPDX-License-Identifier: Apache-2.0 */
/* stranger.h - read before the sources of the program "stranger": a drover-worker that speaks
 * another protocol than this tree's. */
#ifndef TESTS_SYSTEM_STRANGER_H
#define TESTS_SYSTEM_STRANGER_H

#define WIRE_PROTOCOL WIRE_PROTOCOL_HERE
#include "common/wire/wire.h"
#undef WIRE_PROTOCOL

enum { WIRE_PROTOCOL = WIRE_PROTOCOL_HERE + 1 };

#endif
