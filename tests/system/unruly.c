/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/unruly.h"

int main(int argc, char **argv)
{
    return unruly_main(argc, argv);
}
