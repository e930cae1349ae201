// Takes the place of a program that runs: all of its code is one function, whose name may not be in any report.
#define FOUR(x) x x x x
static volatile int sink;

__attribute__((noinline)) void impostor(void) {
    FOUR(FOUR(FOUR(FOUR(FOUR(sink++; sink += 3;)))))
}

int main(void) {
    impostor();
    return 0;
}
