// Forks as fast as it can, in all of its processes. Must end by its timeout, and spoil nothing.
#include <unistd.h>
int main(void) { for (;;) fork(); }
