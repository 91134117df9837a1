/* SPDX-License-Identifier: Apache-2.0 */
/* rules.h - what the fields of messages may hold. Private to common/wire. */
#ifndef COMMON_WIRE_RULES_H
#define COMMON_WIRE_RULES_H

#include <protobuf-c/protobuf-c.h>

#include "common/base/err.h"

/* Check M and everything in it. ERR_PROTO names message, field and limit. */
int rules_check(const ProtobufCMessage *m, struct err *err) MUST_CHECK;

#endif
