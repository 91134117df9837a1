/* SPDX-License-Identifier: Apache-2.0 */
/* folder.h - temporary folders of tests. */
#ifndef TESTS_SUPPORT_FOLDER_H
#define TESTS_SUPPORT_FOLDER_H

/* Remove PATH and everything in it. 0 or -1. */
int folder_remove(const char *path);

#endif
