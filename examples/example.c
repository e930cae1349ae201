/*
 * A program in C that says where it died.
 *
 *     cargo capi
 *     cc -g examples/example.c -Isrc/capi target/capi/libtoolbox.a -lm -ldl -lpthread -o example && ./example
 *
 * `example NAME` crashes in another way: null, overflow, abort, thread. `example print` only prints where it is.
 */
#include <toolbox.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int *volatile nothing;
static volatile int depth;

__attribute__((noinline)) static void explode(volatile int *p) {
    *p = 1; /* HERE null */
    depth++;
}

__attribute__((noinline)) static int recurse(volatile int n) { return n < 0 ? 0 : recurse(n + 1) + n + depth; } /* HERE overflow */

static void *in_thread(void *unused) {
    depth = recurse(0);
    return unused;
}

static void in_callback(int signal, int descriptor, void *data) {
    (void)signal;
    (void)descriptor;
    *(volatile int *)data = 1;
}

static int start(void) {
    static int called;
    struct toolbox_crash_options options = {sizeof options, "source=yes,limit=5000", in_callback, &called};
    return toolbox_crash_init_with(&options);
}

int main(int count, char **arguments) {
    const char *how = count > 1 ? arguments[1] : "null";
    int code = start();
    if (code != TOOLBOX_OK) {
        fprintf(stderr, "no crash reports: %s\n", toolbox_error_text(code));
        return 2;
    }
    if (strcmp(how, "overflow") == 0) depth = recurse(0);
    if (strcmp(how, "abort") == 0) abort(); /* HERE abort */
    if (strcmp(how, "print") == 0) return toolbox_crash_print() == TOOLBOX_OK ? 0 : 1; /* HERE print */
    if (strcmp(how, "thread") == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, in_thread, NULL);
        pthread_join(thread, NULL);
    }
    explode(nothing);
    return 0;
}
