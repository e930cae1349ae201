// A library to be loaded at run time; with BLOCKS, one whose constructor never returns.
#include <unistd.h>

static volatile int sink;
static volatile int *volatile nothing;

static __attribute__((noinline)) void dso_explode(volatile int *p) {
    *p = 1; // HERE dso_explode
    sink++;
}

void dso_enter(void) {
    dso_explode(nothing);
    sink++;
}

#ifdef BLOCKS
__attribute__((constructor)) static void blocks(void) {
    for (;;) pause();
}
#endif
