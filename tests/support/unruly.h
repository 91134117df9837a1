/* SPDX-License-Identifier: Apache-2.0 */
/* unruly.h - a program that behaves badly on demand: for tests of what starts programs. */
#ifndef TESTS_SUPPORT_UNRULY_H
#define TESTS_SUPPORT_UNRULY_H

/* Its main(): ARGV[1] is a word of unruly.c's table; 99 for another. */
int unruly_main(int argc, char **argv);

/* Living processes whose environment holds MARK ("NAME=VALUE"), this one left out. */
unsigned unruly_marked(const char *mark);
/* SIGKILL to each of them, until none is left or some seconds are over. */
void unruly_kill(const char *mark);

#endif
