/* The other unit of the program, in C, with a function in parts and one without a name for others. */
#include <stdio.h>
#include <stdlib.h>

static inline int square(int x) {
    int y = x * x;
    if (y < 0) {
        abort();
    }
    return y;
}

__attribute__((noinline)) static int hidden(int x) {
    int sum = 0;
    for (int i = 0; i < x; i++) {
        sum += square(i) ^ square(x);
    }
    return sum;
}

__attribute__((cold, noinline)) void complain(int x) {
    fprintf(stderr, "%d\n", x);
}

int other(int x) {
    if (__builtin_expect(x > 1000, 0)) {
        complain(x);
    }
    return hidden(x) + square(x + 1);
}
