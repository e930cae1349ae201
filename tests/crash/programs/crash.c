// Ways to crash in C. `crash NAME` runs one; what its report has to say stands above it:
//
//   //= NAME FRAME... @MARK END [WORD...]
//
// The frames, from the innermost on, are those that have to be named, in this order; others may stand between them. The
// line of the first of them is the one that carries `HERE MARK`. END is how the program ends without a handler:
// `SIGSEGV`, or `exit:3`. Further words: `*NAME` has to stand somewhere in the report, such as on another thread; `!NAME`
// may stand nowhere; `+WORD` is something the runner has to prepare (see main.rs).
//
// A scenario that cannot be set up on this host exits with 77.
#define _GNU_SOURCE
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define FN __attribute__((noinline, unused)) static
#define CANNOT 77
#pragma GCC diagnostic ignored "-Winfinite-recursion"

typedef volatile int target;

static volatile int sink;           // Written after each call, so that no call is the last thing a function does.
static target *volatile nothing;    // Null, and the compiler does not know it.
static volatile int zero;

FN void explode(target *p) {
    *p = 1; // HERE explode
    sink++;
}

FN void middle(target *p) {
    explode(p);
    sink++;
}

// ---------------------------------------------------------------- one thread, one bad instruction

//= null_deref explode middle null_deref main @explode SIGSEGV
FN void null_deref(void) {
    middle(nothing);
    sink++;
}

//= null_read null_read main @null_read SIGSEGV
FN void null_read(void) {
    struct record { char before[24]; int field; } *volatile record = NULL;
    sink = record->field; // HERE null_read
}

//= wild_read wild_read main @wild_read SIGSEGV
FN void wild_read(void) {
    target *wild = (target *)0x7a0000001230;
    sink = *wild; // HERE wild_read
}

//= noncanonical_write noncanonical_write main @noncanonical_write SIGSEGV
FN void noncanonical_write(void) {
    target *wild = (target *)0x4141414141414140;
    *wild = 1; // HERE noncanonical_write
}

//= write_readonly explode write_readonly main @explode SIGSEGV
FN void write_readonly(void) {
    static const int constant = 7;
    explode((target *)&constant);
    sink++;
}

//= sigfpe sigfpe main @sigfpe SIGFPE
FN void sigfpe(void) {
#if defined __x86_64__
    sink = 7 / zero; // HERE sigfpe
#else
    exit(CANNOT);
#endif
}

//= sigill sigill main @sigill SIGILL
FN void sigill(void) {
#if defined __x86_64__
    __asm__ volatile("ud2"); // HERE sigill
#else
    __asm__ volatile("udf #0");
#endif
    sink++;
}

//= sigtrap sigtrap main @sigtrap SIGTRAP
FN void sigtrap(void) {
    sink++;
#if defined __x86_64__
    __asm__ volatile("int3"); // HERE sigtrap
#else
    __asm__ volatile("brk #0");
#endif
    sink++;
}

//= sigbus sigbus main @sigbus SIGBUS
FN void sigbus(void) {
    char name[] = "sigbus.XXXXXX";
    int file = mkstemp(name);
    unlink(name);
    if (file < 0 || ftruncate(file, 8192)) exit(CANNOT);
    volatile char *bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (ftruncate(file, 4096)) exit(CANNOT);
    bytes[4100] = 1; // HERE sigbus
    sink++;
}

FN void filter(const struct sock_filter *program, unsigned length) {
    struct sock_fprog all = {length, (struct sock_filter *)program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all)) exit(CANNOT);
}

#define LOAD_NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ON(number, answer) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, (answer))
#define ALWAYS(answer) BPF_STMT(BPF_RET | BPF_K, (answer))
#define LENGTH(array) (sizeof(array) / sizeof *(array))

//= sigsys sigsys main @sigsys SIGSYS
FN void sigsys(void) {
    const struct sock_filter program[] = {LOAD_NUMBER, ON(SYS_getppid, SECCOMP_RET_TRAP), ALWAYS(SECCOMP_RET_ALLOW)};
    filter(program, LENGTH(program));
    syscall(SYS_getppid); // HERE sigsys
    sink++;
}

// ---------------------------------------------------------------- wild jumps

typedef void (*function)(void);
static function volatile jump;

//= jump_null jump_null main @jump_null SIGSEGV
FN void jump_null(void) {
    jump = NULL;
    jump(); // HERE jump_null
    sink++;
}

//= call_noncanonical call_noncanonical main @call_noncanonical SIGSEGV
FN void call_noncanonical(void) {
    jump = (function)0x4141414141414141;
    jump(); // HERE call_noncanonical
    sink++;
}

//= call_garbage call_garbage main @call_garbage SIGSEGV
FN void call_garbage(void) {
    jump = (function)0x123456789;
    jump(); // HERE call_garbage
    sink++;
}

//= call_heap call_heap main @call_heap SIGSEGV
FN void call_heap(void) {
    void *volatile heap = calloc(1, 64);
    jump = (function)heap;
    jump(); // HERE call_heap
    sink++;
}

#ifndef STATIC
FN void *load(const char *path) {
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL) exit(CANNOT);
    return library;
}

//= dlclosed dlclosed main @dlclosed SIGSEGV
FN void dlclosed(void) {
    void *library = load("./dso.so");
    jump = (function)dlsym(library, "dso_enter");
    dlclose(library);
    jump(); // HERE dlclosed
    sink++;
}

//= dlopen dso_explode dso_enter call_dlopen main @dso_explode SIGSEGV
FN void call_dlopen(void) {
    jump = (function)dlsym(load("./dso.so"), "dso_enter");
    jump();
    sink++;
}

//= dso_deleted dso_explode dso_enter dso_deleted main @dso_explode SIGSEGV +copy_dso
FN void dso_deleted(void) {
    jump = (function)dlsym(load("./dso_copy.so"), "dso_enter");
    unlink("dso_copy.so");
    jump();
    sink++;
}
#endif

// ---------------------------------------------------------------- stacks

FN int recurse(int n) { volatile char pad[400]; pad[n % 400] = 1; return recurse(n + 1) + pad[0]; } // HERE recurse

//= stack_overflow recurse stack_overflow main @recurse SIGSEGV
FN void stack_overflow(void) {
    sink = recurse(0);
}

FN void *overflow_thread(void *unused) {
    sink = recurse(0);
    return unused;
}

FN void thread(void *(*start)(void *), size_t stack) {
    pthread_t id;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (stack != 0) pthread_attr_setstacksize(&attributes, stack);
    if (pthread_create(&id, &attributes, start, NULL)) exit(CANNOT);
    pthread_join(id, NULL);
}

//= stack_overflow_thread recurse overflow_thread @recurse SIGSEGV
FN void stack_overflow_thread(void) {
    thread(overflow_thread, 0);
}

//= stack_overflow_16k recurse overflow_thread @recurse SIGSEGV
FN void stack_overflow_16k(void) {
    thread(overflow_thread, 16384);
}

// What is left below the frame of this function is about a kilobyte.
FN void *tiny_thread(void *unused) {
    pthread_attr_t attributes;
    void *stack;
    size_t size;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &stack, &size);
    char *here = __builtin_frame_address(0);
    volatile char *all = __builtin_alloca((size_t)(here - (char *)stack) - 1024);
    all[0] = 1;
    explode(nothing);
    sink = all[0];
    return unused;
}

//= tiny_stack explode tiny_thread @explode SIGSEGV
FN void tiny_stack(void) {
    thread(tiny_thread, 16384);
}

FN int deep(int n) {
    if (n == 0) explode(nothing);
    else sink += deep(n - 1);
    return sink;
}

//= deep_100k explode deep deep_100k main @explode SIGSEGV
FN void deep_100k(void) {
    sink = deep(100000);
}

//= bad_rsp bad_rsp main @bad_rsp SIGSEGV
FN void bad_rsp(void) {
#if defined __x86_64__
    __asm__ volatile("mov $0x10, %rsp; push %rax"); // HERE bad_rsp
#else
    exit(CANNOT);
#endif
}

// The register that holds the frame pointer is garbage, in a function whose unwind table does not need it.
//= smashed_frame smashed_frame bare main @smashed_frame SIGSEGV +omit_frame_pointer
FN void smashed_frame(void) {
#if defined __x86_64__
    __asm__ volatile("mov $0x41414141, %%ebp; movl $1, (%%rbp)" ::: "memory"); // HERE smashed_frame
#else
    exit(CANNOT);
#endif
    sink++;
}

FN void bare(void) {
    smashed_frame();
    sink++;
}

// The frame pointer that a function saved on its stack is overwritten, and its caller's frame is found by it.
FN void overwrite_saved(void) {
    void **frame = __builtin_frame_address(0);
    frame[0] = (void *)0x4141414141;
    *nothing = 1; // HERE overwrite_saved
    sink++;
}

//= smashed_rbp overwrite_saved outer main @overwrite_saved SIGSEGV
FN void outer(void) {
    overwrite_saved();
    sink++;
}

FN void call_outer(void) {
    outer();
    sink++;
}

// Returning to garbage: the caller is gone for good, and who called that one can only be found by looking for it.
FN void overwrite_return(void) {
    void **frame = __builtin_frame_address(0);
    frame[0] = (void *)0x4141414141;
    frame[1] = (void *)0x4242424242;
}

FN void returns_wrong(void) {
    overwrite_return();
    sink++;
}

//= smashed_return smashed_return main @smashed_return SIGSEGV
FN void smashed_return(void) {
    returns_wrong(); // HERE smashed_return
    sink++;
}

//= stack_chk smash stack_chk main @smash SIGABRT
FN __attribute__((optimize("stack-protector-all"))) void smash(void) {
    volatile char buffer[24];
    for (unsigned i = 0; i < 32; i++) buffer[i] = 'x';
    sink = buffer[3];
} // HERE smash

FN void stack_chk(void) {
    smash();
    sink++;
}

// ---------------------------------------------------------------- ends that the C library chooses

FN void give_up(void) {
    abort(); // HERE give_up
}

//= abort give_up call_abort main @give_up SIGABRT
FN void call_abort(void) {
    give_up();
    sink++;
}

//= assert call_assert main @assert SIGABRT
FN void call_assert(void) {
    assert(sink == 4711); // HERE assert
    sink++;
}

//= double_free double_free main @double_free SIGABRT
FN void double_free(void) {
    void *volatile block = malloc(32);
    free(block);
    free(block); // HERE double_free
    sink++;
}

FN void *waiting_thread(void *unused) {
    for (;;) pause();
    return unused;
}

// With a second thread the allocator takes its locks.
FN void second_thread(void) {
    pthread_t id;
    if (pthread_create(&id, NULL, waiting_thread, NULL)) exit(CANNOT);
    usleep(20000);
}

//= abort_in_malloc abort_in_malloc main @abort_in_malloc SIGABRT
FN void abort_in_malloc(void) {
    second_thread();
    size_t *volatile last = malloc(5000);
    for (unsigned i = 5000 / 8; i < 5000 / 8 + 4; i++) last[i] = 0x5151515151515151; // The size of what is left.
    sink = malloc(60000) != NULL; // HERE abort_in_malloc
}

//= segv_in_malloc segv_in_malloc main @segv_in_malloc SIGSEGV
FN void segv_in_malloc(void) {
    second_thread();
    size_t *volatile freed = malloc(3000);
    void *volatile between = malloc(100);
    free(freed);
    freed[1] = freed[0] = 0x414141414140; // Where the list goes on.
    sink = malloc(4000) != between; // HERE segv_in_malloc
}

//= heap_scribble explode heap_scribble main @explode SIGSEGV
FN void heap_scribble(void) {
    unsigned long from = 0, to = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    free(malloc(100));
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "[heap]") != NULL) sscanf(line, "%lx-%lx", &from, &to);
    if (from == 0) exit(CANNOT);
    memset((void *)from, 0x41, to - from);
    explode(nothing);
}

// ---------------------------------------------------------------- signals within signals

FN void on_first(int signal) {
    explode(nothing);
    sink = signal;
}

//= segv_in_handler explode on_first segv_in_handler main @explode SIGSEGV
FN void segv_in_handler(void) {
    signal(SIGUSR1, on_first);
    raise(SIGUSR1);
    sink++;
}

FN void on_second(int signal) {
    raise(SIGUSR1);
    sink = signal;
}

FN void on_third(int signal) {
    raise(SIGUSR2);
    sink = signal;
}

//= nested_handlers explode on_first on_second on_third nested_handlers main @explode SIGSEGV
FN void nested_handlers(void) {
    signal(SIGUSR1, on_first);
    signal(SIGUSR2, on_second);
    signal(SIGHUP, on_third);
    raise(SIGHUP);
    sink++;
}

//= full_mask_handler explode on_first full_mask_handler main @explode SIGSEGV
FN void full_mask_handler(void) {
    struct sigaction action = {.sa_handler = on_first};
    sigfillset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    sink++;
}

//= blocked_segv explode blocked_segv main @explode SIGSEGV
FN void blocked_segv(void) {
    sigset_t set;
    sigfillset(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    explode(nothing);
    sink++;
}

FN void app_exits(int signal) {
    _exit(signal == SIGSEGV ? 3 : 4);
}

//= app_handler explode app_handler main @explode exit:3
FN void app_handler(void) {
    struct sigaction action = {.sa_handler = app_exits};
    sigaction(SIGSEGV, &action, NULL);
    explode(nothing);
    sink++;
}

FN void app_raises(int number) {
    signal(number, SIG_DFL);
    raise(number);
}

//= app_handler_reraises explode app_handler_reraises main @explode SIGSEGV
FN void app_handler_reraises(void) {
    signal(SIGSEGV, app_raises);
    explode(nothing);
    sink++;
}

//= app_default explode app_default main @explode SIGSEGV
FN void app_default(void) {
    signal(SIGSEGV, SIG_DFL);
    explode(nothing);
    sink++;
}

static sigjmp_buf recovery;

FN void app_jumps(int signal) {
    siglongjmp(recovery, signal);
}

//= app_recovers exit:0
FN void app_recovers(void) {
    signal(SIGSEGV, app_jumps);
    for (volatile int i = 0; i < 100; i++)
        if (sigsetjmp(recovery, 1) == 0) explode(nothing);
    exit(0);
}

//= small_altstack explode small_altstack main @explode SIGSEGV
FN void small_altstack(void) {
    char *pages = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(pages, 8192, PROT_NONE);
    stack_t stack = {.ss_sp = pages + 8192, .ss_size = 2048};
    if (sigaltstack(&stack, NULL)) exit(CANNOT);
    explode(nothing);
    sink++;
}

//= in_syscall in_syscall main @in_syscall SIGBUS
FN void in_syscall(void) {
    pid_t parent = getpid();
    if (fork() == 0) {
        usleep(100000);
        kill(parent, SIGBUS);
        _exit(0);
    }
    syscall(SYS_ppoll, NULL, 0, NULL, NULL, 8); // HERE in_syscall
    sink++;
}

// ---------------------------------------------------------------- threads, locks, forks

static pthread_barrier_t barrier;

FN void *crash_thread(void *unused) {
    pthread_barrier_wait(&barrier);
    explode(nothing);
    return unused;
}

//= multi_thread explode crash_thread @explode SIGSEGV
FN void multi_thread(void) {
    pthread_t id;
    pthread_barrier_init(&barrier, NULL, 8);
    for (int i = 0; i < 8; i++) pthread_create(&id, NULL, crash_thread, NULL);
    pthread_join(id, NULL);
}

//= other_threads explode other_threads main @explode SIGSEGV *waiting_thread
FN void other_threads(void) {
    second_thread();
    second_thread();
    explode(nothing);
    sink++;
}

#ifndef STATIC
FN int in_loader(struct dl_phdr_info *info, size_t size, void *data) {
    pthread_barrier_wait(&barrier);
    pause();
    return info != NULL && size != 0 && data != NULL;
}

FN void *loader_thread(void *unused) {
    dl_iterate_phdr(in_loader, NULL);
    return unused;
}

FN void hold_loader_lock(void) {
    pthread_t id;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&id, NULL, loader_thread, NULL);
    pthread_barrier_wait(&barrier);
}

//= loader_lock explode loader_lock main @explode SIGSEGV
FN void loader_lock(void) {
    hold_loader_lock();
    explode(nothing);
    sink++;
}

FN void *opening_thread(void *unused) {
    dlopen("./dso_blocks.so", RTLD_NOW);
    return unused;
}

//= dlopen_lock explode dlopen_lock main @explode SIGSEGV
FN void dlopen_lock(void) {
    pthread_t id;
    pthread_create(&id, NULL, opening_thread, NULL);
    usleep(100000);
    explode(nothing);
    sink++;
}
#endif

//= stdio_lock explode stdio_lock main @explode SIGSEGV
FN void stdio_lock(void) {
    flockfile(stderr);
    flockfile(stdout);
    explode(nothing);
    sink++;
}

// Waits for a child and ends with an exit code that tells how it died.
FN void relay(pid_t child) {
    int status = 0;
    if (child < 0) exit(CANNOT);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    _exit(WIFSIGNALED(status) ? 100 + WTERMSIG(status) : WEXITSTATUS(status));
}

#ifndef STATIC
//= fork_child explode fork_child main @explode exit:111
FN void fork_child(void) {
    hold_loader_lock();
    pid_t child = fork();
    if (child != 0) relay(child);
    explode(nothing);
    sink++;
}
#endif

FN int cloned(void *unused) {
    explode(nothing);
    return unused != NULL;
}

//= vfork_child explode cloned @explode exit:111
FN void vfork_child(void) {
    static char stack[65536] __attribute__((aligned(16)));
    relay(clone(cloned, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
}

//= pid1 explode pid1 main @explode exit:111
FN void pid1(void) {
    if (unshare(CLONE_NEWPID)) exit(CANNOT);
    pid_t child = fork();
    if (child != 0) relay(child);
    explode(nothing);
    sink++;
}

FN void *exiting_thread(void *unused) {
    usleep(50000);
    explode(nothing);
    return unused;
}

//= main_exited explode exiting_thread @explode SIGSEGV
FN void main_exited(void) {
    pthread_t id;
    pthread_create(&id, NULL, exiting_thread, NULL);
    pthread_exit(NULL);
}

// ---------------------------------------------------------------- contexts and code of one's own

static ucontext_t here, there;

FN void fiber(void) {
    explode(nothing);
    sink++;
}

//= ucontext explode fiber @explode SIGSEGV
FN void call_ucontext(void) {
    getcontext(&there);
    there.uc_stack.ss_size = 262144;
    there.uc_stack.ss_sp = malloc(there.uc_stack.ss_size);
    there.uc_link = &here;
    makecontext(&there, fiber, 0);
    swapcontext(&here, &there);
}

FN void from_jit(void) {
    explode(nothing);
    sink++;
}

//= jit explode from_jit jit main @explode SIGSEGV
FN void jit(void) {
#if defined __x86_64__
    // push %rbp; mov %rsp, %rbp; movabs $from_jit, %rax; call *%rax; pop %rbp; ret
    unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd0, 0x5d, 0xc3};
    function callee = from_jit;
    memcpy(code + 6, &callee, 8);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, code, sizeof code);
    if (mprotect(page, 4096, PROT_READ | PROT_EXEC)) exit(CANNOT);
    jump = (function)page;
    jump();
    sink++;
#else
    exit(CANNOT);
#endif
}

// Written by hand, without unwind tables and without a frame of its own.
#if defined __x86_64__
__asm__(".text\n.type by_hand, @function\nby_hand: push %rbx\n mov $0, %eax\n movl $1, (%rax)\n pop %rbx\n ret\n"
        ".size by_hand, . - by_hand\n");
void by_hand(void);
#endif

//= assembly by_hand assembly main SIGSEGV
FN void assembly(void) {
#if defined __x86_64__
    by_hand();
    sink++;
#else
    exit(CANNOT);
#endif
}

//= vdso read_clock main @vdso SIGSEGV
FN void read_clock(void) {
    struct timespec *volatile wild = (struct timespec *)8;
    clock_gettime(CLOCK_MONOTONIC, wild); // HERE vdso
    sink++;
}

//= fs_zero fs_zero main @fs_zero SIGSEGV
FN void fs_zero(void) {
#if defined __x86_64__
    __asm__ volatile("syscall" ::"a"(SYS_arch_prctl), "D"(0x1002), "S"(0) : "rcx", "r11", "memory");
    *nothing = 1; // HERE fs_zero
#else
    exit(CANNOT);
#endif
}

// ---------------------------------------------------------------- before main and after it

//= ctor explode early @explode SIGSEGV
__attribute__((constructor)) static void early(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "ctor") == 0) {
        explode(nothing);
        sink++;
    }
}

static int dies_late;

//= dtor explode late @explode SIGSEGV
__attribute__((destructor)) static void late(void) {
    if (dies_late) {
        explode(nothing);
        sink++;
    }
}

FN void dtor(void) {
    dies_late = 1;
    exit(0);
}

FN void at_exit(void) {
    explode(nothing);
    sink++;
}

//= atexit explode at_exit main @explode SIGSEGV
FN void call_atexit(void) {
    atexit(at_exit);
    exit(0);
}

// ---------------------------------------------------------------- nothing left to work with

FN void own_path(char *path) {
    ssize_t length = readlink("/proc/self/exe", path, 4095);
    if (length < 0) exit(CANNOT);
    path[length] = 0;
}

//= exe_deleted explode exe_deleted main @explode SIGSEGV +copy
FN void exe_deleted(void) {
    char path[4096];
    own_path(path);
    unlink(path);
    explode(nothing);
    sink++;
}

//= exe_replaced explode exe_replaced main @explode SIGSEGV +copy !impostor
FN void exe_replaced(void) {
    char path[4096];
    own_path(path);
    if (rename("impostor", path)) exit(CANNOT);
    explode(nothing);
    sink++;
}

//= fd_exhausted explode fd_exhausted main @explode SIGSEGV
FN void fd_exhausted(void) {
    struct rlimit few = {64, 64};
    setrlimit(RLIMIT_NOFILE, &few);
    while (open("/dev/null", O_RDONLY) >= 0) {}
    explode(nothing);
    sink++;
}

//= oom explode oom main @explode SIGSEGV
FN void oom(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_AS, &none);
    explode(nothing);
    sink++;
}

//= stdio_closed explode stdio_closed main @explode SIGSEGV
FN void stdio_closed(void) {
    for (int i = 0; i < 3; i++) close(i);
    explode(nothing);
    sink++;
}

//= stdio_reused explode stdio_reused main @explode SIGSEGV +data
FN void stdio_reused(void) {
    close(2);
    int file = open("data.txt", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file != 2 || write(file, "data\n", 5) != 5) exit(CANNOT);
    explode(nothing);
    sink++;
}

//= stderr_full SIGSEGV +stderr_full
FN void stderr_full(void) {
    null_deref();
}

//= stderr_stuck SIGSEGV +stderr_stuck
FN void stderr_stuck(void) {
    null_deref();
}

//= stderr_broken SIGSEGV +stderr_broken
FN void stderr_broken(void) {
    null_deref();
}

//= seccomp_eperm explode seccomp_eperm main @explode SIGSEGV
FN void seccomp_eperm(void) {
    const struct sock_filter program[] = {
        LOAD_NUMBER,
#ifdef SYS_open
        ON(SYS_open, SECCOMP_RET_ERRNO | EPERM), ON(SYS_fork, SECCOMP_RET_ERRNO | EPERM),
        ON(SYS_vfork, SECCOMP_RET_ERRNO | EPERM), ON(SYS_pipe, SECCOMP_RET_ERRNO | EPERM),
#endif
        ON(SYS_openat, SECCOMP_RET_ERRNO | EPERM), ON(SYS_clone, SECCOMP_RET_ERRNO | EPERM),
        ON(SYS_clone3, SECCOMP_RET_ERRNO | EPERM), ON(SYS_execve, SECCOMP_RET_ERRNO | EPERM),
        ON(SYS_pipe2, SECCOMP_RET_ERRNO | EPERM), ON(SYS_ptrace, SECCOMP_RET_ERRNO | EPERM),
        ON(SYS_process_vm_readv, SECCOMP_RET_ERRNO | EPERM), ON(SYS_socket, SECCOMP_RET_ERRNO | EPERM),
        ALWAYS(SECCOMP_RET_ALLOW)};
    filter(program, LENGTH(program));
    explode(nothing);
    sink++;
}

// Kills at any call but the few that every handler needs, so no more than the raw lines can be had.
//= seccomp_kill explode seccomp_kill main @explode SIGSEGV
FN void seccomp_kill(void) {
    const struct sock_filter program[] = {
        LOAD_NUMBER, ON(SYS_write, SECCOMP_RET_ALLOW), ON(SYS_rt_sigreturn, SECCOMP_RET_ALLOW),
        ON(SYS_rt_sigaction, SECCOMP_RET_ALLOW), ON(SYS_rt_sigprocmask, SECCOMP_RET_ALLOW),
        ON(SYS_getpid, SECCOMP_RET_ALLOW), ON(SYS_gettid, SECCOMP_RET_ALLOW),
        ON(SYS_tgkill, SECCOMP_RET_ALLOW), ON(SYS_exit_group, SECCOMP_RET_ALLOW),
        ALWAYS(SECCOMP_RET_KILL_PROCESS)};
    filter(program, LENGTH(program));
    explode(nothing);
    sink++;
}

//= chroot_empty explode chroot_empty main @explode SIGSEGV
FN void chroot_empty(void) {
    mkdir("empty", 0755);
    if (chroot("empty") || chdir("/")) exit(CANNOT);
    explode(nothing);
    sink++;
}

//= no_proc explode no_proc main @explode SIGSEGV
FN void no_proc(void) {
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) exit(CANNOT);
    if (umount2("/proc", MNT_DETACH)) exit(CANNOT);
    explode(nothing);
    sink++;
}

//= undumpable explode undumpable main @explode SIGSEGV
FN void undumpable(void) {
    if (getuid() == 0 && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))) exit(CANNOT);
    prctl(PR_SET_DUMPABLE, 0);
    explode(nothing);
    sink++;
}

// ---------------------------------------------------------------- functions that are not there

static inline __attribute__((always_inline)) void inner_inlined(target *p) {
    *p = 1; // HERE inlined
}

static inline __attribute__((always_inline)) void outer_inlined(target *p) {
    inner_inlined(p);
}

//= inlined inner_inlined outer_inlined call_inlined main @inlined SIGSEGV
FN void call_inlined(void) {
    outer_inlined(nothing);
    sink++;
}

// ---------------------------------------------------------------- with the library linked, not preloaded

#ifdef LINKED
#include "toolbox.h"
#endif

//= linked explode linked main @explode SIGSEGV +linked
FN void linked(void) {
#ifdef LINKED
    if (toolbox_crash_init()) exit(CANNOT);
#endif
    explode(nothing);
    sink++;
}

//= chain_early explode chain_early main @explode exit:3 +linked
FN void chain_early(void) {
    struct sigaction action = {.sa_handler = app_exits};
    sigaction(SIGSEGV, &action, NULL);
    linked();
}

static const struct scenario { const char *name; function run; } scenarios[] = {
#define S(name) {#name, name}
    S(null_deref), S(null_read), S(wild_read), S(noncanonical_write), S(write_readonly), S(sigfpe), S(sigill),
    S(sigtrap), S(sigbus), S(sigsys), S(jump_null), S(call_noncanonical), S(call_garbage), S(call_heap),
    S(stack_overflow), S(stack_overflow_thread), S(stack_overflow_16k), S(tiny_stack), S(deep_100k), S(bad_rsp),
    {"smashed_frame", bare}, {"smashed_rbp", call_outer}, S(smashed_return), S(stack_chk), {"abort", call_abort},
    {"assert", call_assert}, S(double_free), S(abort_in_malloc), S(segv_in_malloc), S(heap_scribble),
    S(segv_in_handler), S(nested_handlers), S(full_mask_handler), S(blocked_segv), S(app_handler),
    S(app_handler_reraises), S(app_default), S(app_recovers), S(small_altstack), S(in_syscall), S(multi_thread),
    S(other_threads), S(stdio_lock), S(vfork_child), S(pid1), S(main_exited), {"ucontext", call_ucontext}, S(jit),
    S(assembly), {"vdso", read_clock}, S(fs_zero), S(dtor), {"atexit", call_atexit}, S(exe_deleted), S(exe_replaced),
    S(fd_exhausted), S(oom), S(stdio_closed), S(stdio_reused), S(stderr_full), S(stderr_stuck), S(stderr_broken),
    S(seccomp_eperm), S(seccomp_kill), S(chroot_empty), S(no_proc), S(undumpable), {"inlined", call_inlined},
    S(linked), S(chain_early),
#ifndef STATIC
    S(dlclosed), {"dlopen", call_dlopen}, S(dso_deleted), S(loader_lock), S(dlopen_lock), S(fork_child),
#endif
};

int main(int count, char **arguments) {
#ifdef CALLS_INIT
    extern int toolbox_crash_init(void);
    if (toolbox_crash_init()) return CANNOT;
#endif
    for (unsigned i = 0; count > 1 && i < LENGTH(scenarios); i++)
        if (strcmp(arguments[1], scenarios[i].name) == 0) scenarios[i].run();
    return 99; // No such scenario, or one that did not crash.
}
