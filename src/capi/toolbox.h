/*
 * toolbox.h - where and why did my program die? For C and C++.
 *
 *     #include <toolbox.h>
 *
 *     int main(void) {
 *         int code = toolbox_crash_init();
 *         if (code != 0)
 *             fprintf(stderr, "no crash reports: %s\n", toolbox_error_text(code));
 *         ...
 *     }
 *
 *     cc -g example.c $(pkg-config --cflags --libs toolbox)               the shared library
 *     cc -g example.c libtoolbox.a -lm -ldl -lpthread                     the archive
 *     cc -g -static example.c libtoolbox.a                                all of it static
 *
 * When a fatal signal comes (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS), a report goes to standard error:
 * first raw lines (signal, address, registers, frames as module+offset), then the same frames with names and source lines,
 * then the other threads. Then the signal takes the course that it would have taken without us: the handler that the
 * program had before, or the end, with the same wait status and core file. Nothing of that uses the program's heap.
 *
 * An unmodified program: LD_PRELOAD=libtoolbox.so program. The library installs itself at load when it was preloaded, or when
 * the environment variable TOOLBOX_CRASH is set; that holds options (below), or `off`, which keeps it from doing so. In setuid and
 * setgid programs the environment is not looked at. Otherwise the library waits for toolbox_crash_init(). It cannot
 * be unloaded by dlclose().
 *
 * All functions may be called from any thread, and return 0 or a negative code, for which toolbox_error_text() has words.
 * A code never changes its meaning.
 *
 * ---------------------------------------------------------------------------------------------------------------------
 * The library takes the place of these functions of the C library, so that reports come also from threads that are made later and
 * from programs with handlers of their own. Before an installation, and for other signals, they only pass on.
 *
 *   pthread_create                 every new thread gets an alternate signal stack with a guard page, given back when it
 *                                  ends. Costs two mappings at its start and one unmapping at its end. (thrd_create() and
 *                                  raw clone() pass it by: call toolbox_crash_thread_init() there.)
 *   sigaction, signal, bsd_signal, sysv_signal
 *                                  a handler for one of the signals above is remembered, not installed: when the signal comes, the
 *                                  report is written first, then the handler called as the kernel would. Asking gives the program's own
 *                                  back. Costs a lock-free exchange beside the system call. In masks of other handlers the
 *                                  signals above are left out: a crash inside them would end the program silently.
 *   sigprocmask, pthread_sigmask   for the same reason those signals stay unblocked, but SIGABRT, which abort() unblocks
 *                                  itself. Costs nothing beyond the system call.
 *   sigaltstack                    a stack that is too small for a report is remembered, not used; the signals of the program run
 *                                  on ours. Costs a thread-local lookup.
 *
 * Programs that make these system calls themselves (Go's runtime does) pass by all of it: for their own handlers
 * the kernel then calls them and not us.
 */
#ifndef TOOLBOX_H
#define TOOLBOX_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header, as toolbox_version() gives that of the library: "0.1.0". */
#define TOOLBOX_VERSION "0.1.0"

/* Codes. */
#define TOOLBOX_OK 0
#define TOOLBOX_ERROR_OPTIONS (-1)   /* an option is not known, or its value is not */
#define TOOLBOX_ERROR_MEMORY (-2)    /* no memory for an alternate stack */
#define TOOLBOX_ERROR_SYSTEM (-3)    /* the kernel refused to set a handler */
#define TOOLBOX_ERROR_OUTPUT (-4)    /* the place where reports go cannot be written to */
#define TOOLBOX_ERROR_ARGUMENT (-5)  /* a null pointer, or a structure of a size that is not known */
#define TOOLBOX_ERROR_ABSENT (-6)    /* nothing is installed */

/*
 * Installs with the usual options: all signals, text to standard error, all threads, names and lines, within 10 s. Options in
 * TOOLBOX_CRASH are not looked at. Once installed, a further call changes the options.
 */
int toolbox_crash_init(void);

/* What a report is to be like. Set `size`, and to zero what you do not need. */
struct toolbox_crash_options {
    size_t size;                      /* sizeof(struct toolbox_crash_options) */
    /*
     * key=value,... or NULL. A comma in a path is written `\,`.
     *
     *   signals=segv+bus   which signals; otherwise all seven
     *   text=stderr        where the text goes: stderr, none, fd:N, or a path: %p process, %i thread, %t time, %e program
     *   file=/var/crash/%e.%p   where a second copy goes
     *   json=none          the same as JSON
     *   color=auto         auto, always, never
     *   threads=all        all, one
     *   names=yes          whether to look for names and lines
     *   source=yes         whether to show the source line
     *   limit=10000        milliseconds for the whole report; then the program ends with what there is
     *   chain=yes          whether earlier handlers are called afterwards
     *   files=100          how many report files a folder may hold
     *   bytes=1048576      how long one may become
     *   debug=/usr/lib/debug    where debug files lie
     */
    const char *options;
    /*
     * Called when the report is written, just before the end; or NULL. It runs in the signal handler: it may call only what is
     * safe in a signal. `descriptor` is where the report went, or -1. If it crashes or does not return in time, it is abandoned.
     */
    void (*callback)(int signal, int descriptor, void *data);
    void *data;                       /* handed to the callback */
};

/* Installs with options of one's own. */
int toolbox_crash_init_with(const struct toolbox_crash_options *options);

/* Sets the handlers back to what the program has set. Reports can be switched on again by toolbox_crash_init(). */
int toolbox_crash_uninstall(void);

/*
 * Writes where the calling thread is, with names, to where reports go as text, and goes on. Takes an installation. Not for signal
 * handlers: a report that the signal has interrupted would be waited for, though not for ever.
 */
int toolbox_crash_print(void);

/*
 * Gives the calling thread an alternate stack, so that an overflow of its own can be reported. Needed only in threads that were
 * there before the installation or were not made by pthread_create(). Again: nothing happens.
 */
int toolbox_crash_thread_init(void);

/* Takes that back; a thread that ends by itself need not call it. */
int toolbox_crash_thread_done(void);

/* Words for a code, never NULL; for one that is not known as well. */
const char *toolbox_error_text(int code);

/* The version of the library: "0.1.0". */
const char *toolbox_version(void);

#ifdef __cplusplus
}
#endif

#endif
