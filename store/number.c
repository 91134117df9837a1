/* SPDX-License-Identifier: Apache-2.0 */
/* number.c - 17 digits by one multiplication in long double (64 bits of mantissa on x86-64, more
 * elsewhere). Its error is below 2^-5 of the last digit, so the digits are the nearest ones or,
 * near a tie, the second nearest: less than 0.54 units of the 17th digit off, which is 0.49 of the
 * half distance to the next double at worst: both read back as the same bits. */
#include "store/number.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/macros.h"

enum {
    DIGITS = 17,
    EXACT = 22, /* powers of ten up to here are doubles */
};

static const long double small_power[32] = {
    1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,  1e10L,
    1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L, 1e21L,
    1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L, 1e28L, 1e29L, 1e30L, 1e31L,
};
static const long double big_power[11] = { 1e0L,   1e32L,  1e64L,  1e96L,  1e128L, 1e160L,
                                           1e192L, 1e224L, 1e256L, 1e288L, 1e320L };

static const char pairs[201] = "00010203040506070809101112131415161718192021222324"
                               "25262728293031323334353637383940414243444546474849"
                               "50515253545556575859606162636465666768697071727374"
                               "75767778798081828384858687888990919293949596979899";

/* V * 10^POWER. */
static long double scale(long double v, int power)
{
    unsigned p = (unsigned)(power < 0 ? -power : power);

    if (p < 32) /* most numbers are no larger */
        return power < 0 ? v / small_power[p] : v * small_power[p];
    if (power < 0)
        return v / small_power[p % 32] / big_power[p / 32];
    return v * small_power[p % 32] * big_power[p / 32];
}

/* The 17 digits of V > 0, normal, and the exponent of the first. */
static uint64_t digits_of(double v, int *ret_exponent)
{
    int binary, exponent;
    uint64_t bits, digits;

    memcpy(&bits, &v, sizeof bits);
    binary = (int)(bits >> 52) - 1023; /* V is at least 2^BINARY */
    /* floor(BINARY * log10(2)): right, or one too small. */
    exponent = (binary >= 0 ? binary * 315653 : binary * 315653 - ((1 << 20) - 1)) / (1 << 20);
    digits = (uint64_t)(scale(v, DIGITS - 1 - exponent) + 0.5L);
    if (digits >= 100000000000000000u) {
        exponent++;
        digits = (uint64_t)(scale(v, DIGITS - 1 - exponent) + 0.5L);
    }
    *ret_exponent = exponent;
    return digits;
}

/* The same as 15 digits and two zeros where everybody reads V back from them; else unchanged. */
static uint64_t shorten(double v, uint64_t digits, int exponent)
{
    uint64_t rest = digits % 100, short_ = digits / 100 + (rest >= 50);
    int power = 14 - exponent; /* V = SHORT / 10^POWER */
    double whole = (double)short_;

    if ((rest > 12 && rest < 88) || power < -EXACT || power > EXACT)
        return digits;
    if (power >= 0) {
        if (whole / (double)small_power[power] != v ||
            (double)((long double)short_ / small_power[power]) != v)
            return digits;
    } else if (whole * (double)small_power[-power] != v ||
               (double)((long double)short_ * small_power[-power]) != v) {
        return digits;
    }
    return short_ * 100;
}

/* Eight digits. */
static void write_eight(uint32_t digits, char *out)
{
    for (size_t i = 8; i > 0; i -= 2) {
        memcpy(out + i - 2, pairs + 2 * (size_t)(digits % 100), 2);
        digits /= 100;
    }
}

/* DIGITS as text, 17 bytes; returns how many there are without the zeros at the end (>= 1). */
static size_t write_digits(uint64_t digits, char *out)
{
    uint32_t high = (uint32_t)(digits / 100000000); /* 9 digits */
    size_t len = DIGITS;

    out[0] = (char)('0' + high / 100000000);
    write_eight(high % 100000000, out + 1);
    write_eight((uint32_t)(digits % 100000000), out + 9);
    while (len > 1 && out[len - 1] == '0')
        len--;
    return len;
}

/* 1.5, 1500.0, 0.0015 */
static size_t write_plain(const char *digit, size_t len, int exponent, char *out)
{
    size_t n = 0;

    if (exponent < 0) {
        memcpy(out, "0.000000", 8);
        n = (size_t)(1 - exponent);
        memcpy(out + n, digit, DIGITS);
        return n + len;
    }
    if (exponent == 0 && len > 1) {
        out[0] = digit[0];
        out[1] = '.';
        memcpy(out + 2, digit + 1, DIGITS - 1);
        return len + 1;
    }
    for (size_t i = 0; i <= (size_t)exponent || i < len; i++) {
        if (i == (size_t)exponent + 1)
            out[n++] = '.';
        out[n++] = i < len ? digit[i] : '0';
    }
    if (len <= (size_t)exponent + 1) {
        out[n++] = '.';
        out[n++] = '0';
    }
    return n;
}

/* 1.5e-07 */
static size_t write_scientific(const char *digit, size_t len, int exponent, char *out)
{
    size_t n = 0;
    unsigned e = (unsigned)(exponent < 0 ? -exponent : exponent);

    out[n++] = digit[0];
    if (len > 1) {
        out[n++] = '.';
        memcpy(out + n, digit + 1, len - 1);
        n += len - 1;
    }
    out[n++] = 'e';
    out[n++] = exponent < 0 ? '-' : '+';
    if (e >= 100)
        out[n++] = (char)('0' + e / 100);
    memcpy(out + n, pairs + 2 * (e % 100), 2);
    return n + 2;
}

size_t number_print(double v, char *out)
{
    char digit[DIGITS + 1];
    size_t n = 0, len;
    int exponent;
    uint64_t digits;

    if (!isfinite(v)) {
        memcpy(out, "null", 4);
        return 4;
    }
    if (signbit(v)) {
        out[n++] = '-';
        v = -v;
    }
    if (v == 0.0) {
        memcpy(out + n, "0.0", 3);
        return n + 3;
    }
    if (v < 2.3e-308) /* no normal number: rare, and not worth a second kind of arithmetic */
        return n + (size_t)snprintf(out + n, NUMBER_MAX - n, "%.17g", v);
    digits = digits_of(v, &exponent);
    digits = shorten(v, digits, exponent);
    if (digits >= 100000000000000000u) { /* 9.99...9 became 10 */
        digits /= 10;
        exponent++;
    }
    len = write_digits(digits, digit);
    return n + (exponent >= -5 && exponent < DIGITS
                    ? write_plain(digit, len, exponent, out + n)
                    : write_scientific(digit, len, exponent, out + n));
}

/* strtod for what number_print() writes, up to 15 digits by hand: a whole number below 2^53, times
 * or divided by a power of ten that a double holds, is rounded once, and so right (Clinger 1990).
 */
static double parse_number(const char *text, char **ret_end)
{
    const char *p = text + (*text == '-');
    uint64_t digits = 0;
    int power = 0, n = 0;

    for (; *p >= '0' && *p <= '9'; p++, n++)
        digits = 10 * digits + (uint64_t)(*p - '0');
    if (n > 0 && n <= DIGITS && *p == '.')
        for (p++; *p >= '0' && *p <= '9' && n <= DIGITS; p++, n++, power++)
            digits = 10 * digits + (uint64_t)(*p - '0');
    if (n == 0 || n > DIGITS || digits > (uint64_t)1 << 53 || (*p != ',' && *p != ']'))
        return strtod(text, ret_end);
    *ret_end = (char *)p;
    double v = (double)digits / (double)small_power[power];
    return *text == '-' ? -v : v;
}

size_t number_parse_list(const char *text, double *ret, size_t max)
{
    size_t n = 0;

    if (!text || *text++ != '[')
        return SIZE_MAX;
    if (text[0] == ']' && !text[1])
        return 0;
    for (;;) {
        char *end;

        if (n == max)
            return SIZE_MAX;
        if (*text == 'n' && strncmp(text, "null", 4) == 0) {
            ret[n++] = NAN;
            text += 4;
        } else {
            ret[n++] = parse_number(text, &end);
            if (end == text)
                return SIZE_MAX;
            text = end;
        }
        if (*text == ']')
            return text[1] ? SIZE_MAX : n;
        if (*text++ != ',')
            return SIZE_MAX;
    }
}
