# C and C++, optimised, threads, libraries, make, sanitizers: the compiler's own processes and what they build.
cat > sum.c <<'END'
#include <math.h>
#include <pthread.h>
#include <stdio.h>
static void *root(void *n) { *(double *)n = sqrt(*(double *)n); return 0; }
int main(void) {
    double numbers[4] = {1, 4, 9, 16}, sum = 0;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, root, &numbers[i]);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], 0), sum += numbers[i];
    printf("sum %g\n", sum);
}
END
cat > words.cpp <<'END'
#include <algorithm>
#include <future>
#include <iostream>
#include <stdexcept>
#include <vector>
int main() {
    std::vector<std::string> words{"pear", "fig", "apple"};
    auto sorted = std::async(std::launch::async, [&] { std::sort(words.begin(), words.end()); return true; });
    try { if (sorted.get()) throw std::runtime_error(words.front()); }
    catch (const std::exception &e) { std::cout << e.what() << "\n"; }
}
END
cat > heap.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    int *n = malloc(sizeof *n);
    *n = 41 + argc;
    if (argc > 1) free(n);
    printf("%d\n", *n);
    if (argc == 1) free(n);
}
END
cat > stack.c <<'END'
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>
static void *own(void *name) {
    pthread_attr_t attributes;
    void *base;
    size_t size;
    int error = pthread_getattr_np(pthread_self(), &attributes);
    if (!error) error = pthread_attr_getstack(&attributes, &base, &size);
    printf("%s: %s\n", (char *)name, error ? strerror(error) : "seen");
    return 0;
}
int main(int argc, char **argv) {
    pthread_t thread;
    if (argc == 1) return own("first"), 0;
    pthread_create(&thread, 0, own, "second");
    pthread_join(thread, 0);
}
END
printf 'int twice(int n) { return 2 * n; }\n' > twice.c
printf '#include <stdio.h>\nint twice(int);\nint main(void) { printf("%%d\\n", twice(21)); }\n' > main.c
cat > Makefile <<'END'
all: shared static
lib%.so: %.c
	@$(CC) -O2 -shared -fPIC -o $@ $<
lib%.a: %.c
	@$(CC) -O2 -c -o $*.o $< && ar rcs $@ $*.o
shared: main.c libtwice.so
	@$(CC) -o $@ main.c -L. -ltwice -Wl,-rpath,'$$ORIGIN'
static: main.c libtwice.a
	@$(CC) -static -o $@ main.c libtwice.a
END
check gcc-compiles '' 'gcc -O2 -Wall -g -pipe -o sum sum.c -lm -pthread && gcc -O2 -flto -o lto sum.c -lm'
check gcc-program-runs 'sum 10' './sum'
check gcc-program-runs-through-its-loader 'sum 10' '$(readelf -lW sum | sed -n "s/.*interpreter: \(.*\)]/\1/p") ./sum'
check g++-program-runs 'apple' 'g++ -O2 -o words words.cpp -pthread && ./words'
check make-builds '' 'make -s -j2 && make -q'
check shared-library '42' './shared'
check static-library '42' './static'
# Through the loader, because not everywhere a program that was just built can be executed.
check stack-of-the-first-thread 'first: seen' 'gcc -o stack stack.c -pthread && $(readelf -lW stack | sed -n "s/.*interpreter: \(.*\)]/\1/p") ./stack'
check stack-of-another-thread 'second: seen' '$(readelf -lW stack | sed -n "s/.*interpreter: \(.*\)]/\1/p") ./stack again'
check address-sanitizer '42' 'gcc -g -fsanitize=address,undefined -o heap heap.c && ./heap'
check address-sanitizer-finds-bugs '1' 'gcc -g -fsanitize=address -o bug heap.c && ./bug again 2>&1 | grep -c "ERROR: AddressSanitizer: heap-use-after-free"'
