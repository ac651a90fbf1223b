// Calls itself so many times; each call takes a kilobyte and more. Must get as deep as its stack allows, and no
// deeper.
#include <stdio.h>
#include <stdlib.h>
static volatile char last;
static long down(long n) { char b[1024]; for (int i = 0; i < 1024; i += 64) b[i] = n; long r = n ? down(n - 1) + 1 : 0; last = b[n % 1024]; return r; }
int main(int c, char **v) { printf("%ld\n", down(atol(v[1]))); }
