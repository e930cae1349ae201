// Ways to crash in C++. See crash.c for what the lines with `//=` say.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#define FN __attribute__((noinline)) static

static volatile int sink;
static volatile int *volatile nothing;

namespace shapes {

template <typename Item, int Size> struct Grid {
    Item items[Size];
    __attribute__((noinline)) void explode(volatile int *p, const std::string &why) {
        *p = static_cast<int>(why.size()) + Size; // HERE template
        sink = sink + 1;
    }
};

struct Base {
    Base() { call(); }
    virtual ~Base() = default;
    __attribute__((noinline)) void call() { area(); sink = sink + 1; } // HERE pure
    virtual void area() = 0;
};

struct Derived : Base {
    void area() override { sink = sink + 1; }
};

struct Unlucky {
    bool crashes = false;
    ~Unlucky();
};

Unlucky::~Unlucky() {
    if (crashes) *nothing = 1; // HERE static_dtor
    sink = sink + 1;
}

} // namespace shapes

static shapes::Unlucky unlucky;

//= cxx_template explode cxx_template main @template SIGSEGV
FN void cxx_template() {
    shapes::Grid<std::vector<int>, 3> grid;
    grid.explode(nothing, "reason");
    sink = sink + 1;
}

FN void thrower() {
    throw std::runtime_error("nobody catches this"); // HERE throw
}

//= cxx_throw thrower cxx_throw main @throw SIGABRT
FN void cxx_throw() {
    thrower();
    sink = sink + 1;
}

FN void promises() noexcept {
    thrower();
    sink = sink + 1;
}

//= cxx_noexcept promises cxx_noexcept main SIGABRT
FN void cxx_noexcept() {
    try {
        promises();
    } catch (const std::exception &) {
        sink = sink + 1;
    }
}

// Out of a cleanup, while an exception is on its way.
struct Cleanup {
    __attribute__((noinline)) ~Cleanup() {
        *nothing = 1; // HERE cleanup
        sink = sink + 1;
    }
};

//= cxx_in_flight ~Cleanup cxx_in_flight main @cleanup SIGSEGV
FN void cxx_in_flight() {
    try {
        Cleanup cleanup;
        thrower();
    } catch (const std::exception &) {
        sink = sink + 1;
    }
}

//= cxx_pure call cxx_pure main @pure SIGABRT
FN void cxx_pure() {
    shapes::Derived derived;
    sink = sink + 1;
}

//= cxx_static_dtor ~Unlucky @static_dtor SIGSEGV
FN void cxx_static_dtor() {
    unlucky.crashes = true;
    std::exit(0);
}

//= cxx_lambda operator cxx_lambda main @lambda SIGSEGV
FN void cxx_lambda() {
    auto lambda = [](volatile int *p) __attribute__((noinline)) {
        *p = 1; // HERE lambda
    };
    lambda(nothing);
    sink = sink + 1;
}

int main(int count, char **arguments) {
    const struct { const char *name; void (*run)(); } scenarios[] = {
        {"cxx_template", cxx_template},   {"cxx_throw", cxx_throw},   {"cxx_noexcept", cxx_noexcept},
        {"cxx_in_flight", cxx_in_flight}, {"cxx_pure", cxx_pure},     {"cxx_static_dtor", cxx_static_dtor},
        {"cxx_lambda", cxx_lambda},
    };
    for (const auto &scenario : scenarios)
        if (count > 1 && std::strcmp(arguments[1], scenario.name) == 0) scenario.run();
    return 99;
}
