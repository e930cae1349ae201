// A program with something of everything that debug information describes: templates, lambdas, classes in functions, exceptions,
// virtual functions, and calls that an optimizer inlines several deep.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace shapes {
namespace {
int calls = 0;
inline __attribute__((always_inline)) int bump(int by) {
    calls += by;
    return calls;
}
}

struct Shape {
    virtual ~Shape() = default;
    virtual double area() const = 0;
    inline double twice() const { return 2 * area(); }
};

template <typename Number>
struct Square final : Shape {
    explicit Square(Number side) : side(side) { bump(1); }
    double area() const override { return static_cast<double>(side) * side; }
    Number side;
};

template <typename Number, int Sides>
double all(const std::vector<Number> &sides) {
    double sum = 0;
    for (auto side : sides) {
        auto shape = std::make_unique<Square<Number>>(side);
        sum += shape->twice() * Sides;
    }
    return sum;
}

std::map<std::string, int> count(const std::vector<std::string> &words) {
    struct Longer {
        static bool than(const std::string &word, size_t length) { return word.size() > length; }
    };
    std::map<std::string, int> counts;
    for (const auto &word : words) {
        if (Longer::than(word, 2)) {
            counts[word] += 1;
        }
    }
    return counts;
}

__attribute__((noinline)) int fail(int code) {
    if (code > 2) {
        throw std::runtime_error("code " + std::to_string(code));
    }
    return bump(code);
}
}

extern "C" int other(int);

int main(int argc, char **argv) {
    std::vector<std::string> words(argv, argv + argc);
    std::vector<int> sides;
    for (int i = 0; i < 40; i++) {
        sides.push_back((i * 7919) % 101 + argc);
    }
    std::sort(sides.begin(), sides.end(), [](int a, int b) { return a % 10 < b % 10 || (a % 10 == b % 10 && a < b); });
    double sum = shapes::all<int, 4>(sides) + shapes::all<double, 3>({1.5, 2.5});
    for (const auto &[word, times] : shapes::count(words)) {
        std::printf("%s %d\n", word.c_str(), times);
    }
    try {
        shapes::fail(argc + 1);
        shapes::fail(argc + 2);
    } catch (const std::exception &problem) {
        std::printf("%s\n", problem.what());
    }
    std::printf("%f %d\n", sum, other(argc));
    return 0;
}
